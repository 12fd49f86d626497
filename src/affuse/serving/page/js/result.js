/** What a clip's timelines look like: one player, and a reading of each model beside the other. */

import { fill, make } from "./dom.js";
import { Reading } from "./reading.js";

const LATE = 1e7; // seconds; after the end of every clip

export class Result {
  /** @param {HTMLElement} place @param {File} clip @param {{model: any, timeline: any, job: string}[]} answers */
  constructor(place, clip, answers) {
    this.place = place;
    this.clip = clip;
    /** @type {{start: number, end: number} | null} */
    this.chosen = null; // the segment at whose end playing stops
    const film = clip.type.startsWith("video/");
    this.media = /** @type {HTMLMediaElement} */ (make(film ? "video" : "audio", {
      controls: true, preload: "auto", "aria-label": `The clip ${clip.name}`, playsinline: film,
    }));
    // told at changes alone: a screen reader would speak over the clip at every frame
    this.now = make("p", { class: "now", "aria-live": "polite" });
    const stem = clip.name.replace(/\.[^.]*$/, "") || "timeline";
    this.readings = answers.map(one => new Reading(one, stem, answers.length > 1, this));
  }

  show() {
    const { media } = this;
    const unplayable = make("p", { class: "soft", hidden: true }, "The browser cannot play this file; its timeline is below.");
    media.addEventListener("error", () => {
      unplayable.hidden = false;
      media.hidden = true;
    });
    media.addEventListener("loadedmetadata", () => this.measure());
    for (const name of ["timeupdate", "seeked"]) media.addEventListener(name, () => this.followed());
    media.addEventListener("play", () => this.everyFrame());
    media.addEventListener("pause", () => (this.chosen = null));
    media.addEventListener("seeking", () => {
      const at = media.currentTime;
      if (this.chosen && !(this.chosen.start - 0.1 <= at && at < this.chosen.end)) this.chosen = null;
    });
    fill(
      this.place,
      make("h2", {}, `Timeline of ${this.clip.name}`),
      make("div", { class: "player" }, media, this.now),
      unplayable,
      make("div", { class: "readings" }, ...this.readings.map(one => one.element)),
    );
    this.place.hidden = false;
    this.address = URL.createObjectURL(this.clip);
    media.src = this.address;
    this.followed();
  }

  /** Let go of the clip. */
  end() {
    this.media.pause();
    if (this.address) URL.revokeObjectURL(this.address);
  }

  /** A browser's own recording does not say how long it is until its end was looked for. */
  measure() {
    const { media } = this;
    if (media.duration !== Infinity) return;
    media.addEventListener("durationchange", () => (media.currentTime = 0), { once: true });
    media.currentTime = LATE;
  }

  /** Play from one second to another. @param {number} start @param {number | null} end null: to the clip's end */
  play(start, end) {
    this.media.currentTime = start;
    this.media.play().then(() => (this.chosen = end === null ? null : { start, end }), () => {});
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.media.currentTime = seconds;
  }

  everyFrame() {
    if (!this.media.isConnected || this.media.paused) return;
    this.followed();
    requestAnimationFrame(() => this.everyFrame());
  }

  followed() {
    const { media } = this;
    if (this.chosen && media.currentTime >= this.chosen.end) media.pause();
    const told = this.readings.map(one => one.follow(media.currentTime, !media.paused)).filter(Boolean);
    const text = told.join("; ") || "nobody speaks here";
    if (this.now.textContent !== text) this.now.textContent = text;
  }
}
