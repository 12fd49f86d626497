/** What a clip's timelines look like: one player, and a reading of each model beside the other. */

import { clock, fill, make } from "./dom.js";
import { Reading } from "./reading.js";

export class Result {
  /** @param {HTMLElement} place @param {File} clip @param {{name: string, timeline: any}[]} answers */
  constructor(place, clip, answers) {
    this.place = place;
    this.clip = clip;
    this.answers = answers;
    /** @type {number | null} */
    this.until = null; // seconds at which playing stops: the end of a segment that was chosen
  }

  show() {
    const film = this.clip.type.startsWith("video/");
    this.media = /** @type {HTMLMediaElement} */ (make(film ? "video" : "audio", {
      controls: true, preload: "auto", "aria-label": `The clip ${this.clip.name}`, playsinline: film,
    }));
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(this.clip);
    this.media.src = this.address;
    const unplayable = make("p", { class: "soft", hidden: true }, "The browser cannot play this file; its timeline is below.");
    this.media.addEventListener("error", () => {
      unplayable.hidden = false;
      /** @type {any} */ (this.media).hidden = true;
    });
    // told at changes alone: a screen reader would speak over the clip at every frame
    this.now = make("p", { class: "now", "aria-live": "polite" });
    this.readings = this.answers.map(one => new Reading(one.name, one.timeline, this.answers.length > 1, (start, end) => this.play(start, end)));
    fill(
      this.place,
      make("h2", {}, `Timeline of ${this.clip.name}`),
      make("div", { class: "player" }, this.media, this.now),
      unplayable,
      make("div", { class: "readings" }, ...this.readings.map(one => one.element)),
    );
    this.place.hidden = false;
    this.media.addEventListener("timeupdate", () => this.followed());
    this.media.addEventListener("seeked", () => this.followed());
    this.media.addEventListener("play", () => this.everyFrame());
    this.media.addEventListener("pause", () => (this.until = null));
    this.followed();
  }

  /** Play from one second to another. @param {number} start @param {number | null} end */
  play(start, end) {
    const media = /** @type {HTMLMediaElement} */ (this.media);
    media.currentTime = start;
    media.play().then(() => (this.until = end), () => {});
  }

  everyFrame() {
    const media = /** @type {HTMLMediaElement} */ (this.media);
    if (!media.isConnected || media.paused) return;
    if (this.until !== null && media.currentTime >= this.until) media.pause();
    this.followed();
    requestAnimationFrame(() => this.everyFrame());
  }

  followed() {
    const seconds = /** @type {HTMLMediaElement} */ (this.media).currentTime;
    const told = this.readings.map(one => one.follow(seconds)).filter(Boolean);
    const text = told.length ? told.join("; ") : `${clock(seconds)}: nobody speaks`;
    if (this.now.textContent !== text) this.now.textContent = text;
  }
}
