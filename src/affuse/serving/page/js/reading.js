/** One model's timeline: summary, the picture over time, words, faces, table, and files to take away. */

import { request } from "./api.js";
import { clock, fill, make } from "./dom.js";
import { Lane } from "./lane.js";
import { band, colourOf, number, percent, say, sayValue } from "./looks.js";
import { rove } from "./roving.js";

// format -> [what its button says, the ending of its file]
const FILES = { json: ["JSON", "json"], csv: ["CSV", "csv"], curve: ["moments (CSV)", "curve.csv"], srt: ["SRT", "srt"], vtt: ["VTT", "vtt"], png: ["PNG", "png"] };
const WITHOUT = { audio: "nothing was heard", text: "no words were given or recognised", video: "no face was found" };

export class Reading {
  /**
   * @param {{model: any, timeline: any, job: string}} answer @param {string} stem of the files' names
   * @param {boolean} compared whether the model's name must be told
   * @param {{play: (start: number, end: number | null) => void, seek: (seconds: number) => void}} player
   */
  constructor({ model, timeline, job }, stem, compared, player) {
    this.model = model;
    this.timeline = timeline;
    this.job = job;
    this.stem = stem;
    this.compared = compared;
    this.player = player;
    this.tasks = Object.keys(timeline.labels);
    this.ratings = Object.keys(timeline.ranges || {});
    this.lane = new Lane(timeline, this.tasks, this.ratings, player);
    /** @type {HTMLElement[]} */
    this.wordButtons = [];
    this.element = make("article", { class: "reading", "aria-label": `Answers of the model ${model.name}` }, ...this.parts());
  }

  /** As many as every other reading has: beside each other, they stand at one height. @returns {Node[]} */
  parts() {
    const name = this.compared ? make("h3", { class: "whose" }, this.model.name) : null;
    const parts = [[name, this.summary()], this.lane.parts(), this.words(), this.faces(), [this.facts()], [this.table(), this.moments()], [this.downloads()]];
    return parts.map(part => make("div", {}, ...part));
  }

  /** Marks where the player is. @param {number} seconds @param {boolean} playing @returns {string} "" between segments */
  follow(seconds, playing) {
    const at = this.lane.follow(seconds, playing);
    const said = this.timeline.words.findIndex((/** @type {any} */ word) => word.start <= seconds && seconds < word.end);
    if (said !== this.said) {
      this.wordButtons[this.said ?? -1]?.classList.remove("said");
      this.wordButtons[said]?.classList.add("said");
      this.said = said;
    }
    if (at < 0) return "";
    const segment = this.timeline.segments[at];
    return `${this.compared ? `${this.model.name}: ` : ""}${this.told(segment).join(", ")}`;
  }

  /** The answers to all tasks. @param {any} segment @returns {string[]} */
  told(segment) {
    return [...this.tasks.map(task => say(segment[task])), ...this.ratings.map(task => sayValue(task, segment[task], this.timeline.ranges[task]))];
  }

  summary() {
    const { timeline } = this;
    if (!timeline.segments.length)
      return make("p", { class: "summary" }, "Nobody speaks in this clip. Untick “Only where somebody speaks” (More choices) to have all of it answered.");
    return make("div", { class: "summaries" }, ...this.classes(), ...this.ratings.map(task => this.rating(task)));
  }

  /** A rating of the whole clip, on its scale. @param {string} task */
  rating(task) {
    const { timeline } = this;
    const value = timeline.summary[task];
    const range = timeline.ranges[task];
    const share = (/** @type {number} */ rating) => `${(100 * (rating - range[0])) / (range[1] - range[0])}%`;
    const mark = make("b");
    mark.style.left = share(value.mean);
    const reach = value.low === null ? null : make("i");
    if (reach) {
      reach.style.left = share(value.low);
      reach.style.right = `calc(100% - ${share(value.high)})`;
    }
    const gauge = make("div", { class: "gauge" }, make("span", {}, `${range[0]}`), make("div", { "aria-hidden": true }, reach, mark), make("span", {}, `${range[1]}`));
    const said = value.low === null ? "Without a band: the model keeps no validation errors of it." : `Band: ${band(value, range).trim().slice(1, -1)}.`;
    return make("div", {}, make("p", { class: "summary" }, `Whole clip, ${task}: `, make("strong", {}, number(value.mean, range))), gauge, make("p", { class: "soft" }, said));
  }

  /** @returns {Node[]} */
  classes() {
    const { timeline } = this;
    return this.tasks.map(task => {
      const answer = timeline.summary[task];
      const classes = timeline.labels[task];
      const bars = classes.flatMap((/** @type {string} */ name) => {
        const bar = make("i");
        bar.style.width = `${100 * answer.probabilities[name]}%`;
        bar.style.background = colourOf(name, classes);
        return [make("span", {}, name), make("span", { "aria-hidden": true }, bar), make("span", {}, percent(answer.probabilities[name]))];
      });
      const note = task === "gender" ? make("p", { class: "soft" }, "Gender as annotated in the training corpus: what a voice sounded like to those who made it, not who somebody is.") : null;
      const unsure = answer.unsure ? make("p", { class: "soft" }, "Unsure: its confidence is below what the model’s validation found worth telling.") : null;
      return make("div", {}, make("p", { class: "summary" }, `Whole clip, ${task}: `, make("strong", {}, say(answer))), unsure, make("div", { class: "bars" }, ...bars), note);
    });
  }

  /** @returns {Node[]} */
  words() {
    const { words } = this.timeline;
    if (!words.length) return [];
    this.wordButtons = words.map((/** @type {any} */ word) =>
      make("button", { type: "button", title: clock(word.start), onclick: () => this.player.play(word.start, null) }, word.text));
    const place = make("div", { class: "words", role: "toolbar", "aria-label": "Words: choose one to hear from there" }, ...this.wordButtons.flatMap(one => [one, " "]));
    rove(place, this.wordButtons);
    return [make("h3", {}, "Words"), place];
  }

  /** @returns {Node[]} */
  faces() {
    const { faces } = this.timeline;
    if (!faces.length) return [];
    const buttons = faces.map((/** @type {any} */ one) =>
      make("button", { type: "button", onclick: () => this.player.play(one.time, null) }, make("img", { src: one.image, alt: "Face at" }), make("span", {}, clock(one.time))));
    const place = make("div", { class: "faces", role: "toolbar", "aria-label": "Faces: choose one to see it in the clip" }, ...buttons);
    rove(place, buttons);
    return [make("h3", {}, "Faces found"), place];
  }

  facts() {
    const { timeline } = this;
    const used = new Set(timeline.segments.flatMap((/** @type {any} */ one) => one.modalities));
    const missing = timeline.segments.length ? Object.keys(this.model.modalities).filter(name => !used.has(name)) : [];
    const notes = [
      used.size ? `The answers come from: ${[...used].join(", ")}.` : "",
      ...missing.map(name => `No ${name}: ${WITHOUT[/** @type {keyof typeof WITHOUT} */ (this.model.modalities[name])] || "there is none"}.`),
      ...timeline.faults, timeline.warning || "",
    ].filter(Boolean);
    return notes.length ? make("ul", { class: "notes", "aria-label": "What to know" }, ...notes.map(note => make("li", {}, note))) : null;
  }

  table() {
    const { segments } = this.timeline;
    if (!segments.length) return null;
    const { ranges } = this.timeline;
    const headings = ["From", "To", ...this.tasks.flatMap(task => [task, "Confidence"]), ...this.ratings, "Heard or seen in", "Words"];
    const rows = segments.map((/** @type {any} */ one) => {
      const play = make("button", { type: "button", class: "link", "aria-label": `${clock(one.start)}: play`, onclick: () => this.player.play(one.start, one.end) }, clock(one.start));
      const answers = this.tasks.flatMap(task => [`${one[task].label}${one[task].unsure ? " (unsure)" : ""}`, percent(one[task].confidence)]);
      const values = this.ratings.map(task => `${number(one[task].mean, ranges[task])}${band(one[task], ranges[task])}`);
      return make("tr", {}, ...[play, clock(one.end), ...answers, ...values, one.modalities.join(" + "), one.text].map(cell => make("td", {}, cell)));
    });
    const title = segments.length === 1 ? "The segment as a table" : `All ${segments.length} segments as a table`;
    return foldedTable(title, "Table of segments", `Segments by ${this.model.name}`, headings, rows);
  }

  /** The curves of ratings as text. */
  moments() {
    const { timeline } = this;
    const { moments, curves, ranges } = timeline;
    if (!this.ratings.length || !moments.length) return null;
    const rows = moments.map((/** @type {any} */ one, /** @type {number} */ i) => {
      const play = make("button", { type: "button", class: "link", "aria-label": `${clock(one.start)}: play from here`, onclick: () => this.player.play(one.start, null) }, clock(one.start));
      const values = this.ratings.map(task => `${number(curves[task][i].mean, ranges[task])}${band(curves[task][i], ranges[task])}`);
      return make("tr", {}, ...[play, clock(one.end), ...values].map(cell => make("td", {}, cell)));
    });
    return foldedTable(`Ratings of all ${moments.length} moments as a table`, "Table of moments", `Ratings by ${this.model.name}`, ["From", "To", ...this.ratings], rows);
  }

  downloads() {
    const said = make("span", { role: "status" });
    const buttons = Object.entries(FILES).map(([format, [name, ending]]) =>
      make("button", { type: "button", "aria-label": `Download ${name}`, onclick: () => this.download(format, ending, said) }, `${name[0].toUpperCase()}${name.slice(1)}`));
    return make("div", {}, make("h3", {}, "Download"), make("div", { class: "row" }, ...buttons, said));
  }

  /** @param {string} format @param {string} ending @param {HTMLElement} said */
  async download(format, ending, said) {
    try {
      const answer = await request(`v1/jobs/${this.job}/timeline?format=${format}`);
      const address = URL.createObjectURL(await answer.blob());
      make("a", { href: address, download: `${this.stem}${this.compared ? `.${this.model.name}` : ""}.${ending}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
      fill(said, "");
    } catch (error) {
      fill(said, /** @type {Error} */ (error).message);
    }
  }
}

/** @param {string} title @param {string} label @param {string} caption @param {string[]} headings @param {Node[]} rows */
function foldedTable(title, label, caption, headings, rows) {
  return make("details", {}, make("summary", {}, title),
    make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": label },
      make("table", {}, make("caption", {}, caption),
        make("thead", {}, make("tr", {}, ...headings.map(text => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows))));
}
