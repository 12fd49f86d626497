/** One model's timeline: summary, waveform with its segments, curves, words, faces, table, and files to take away. */

import { request } from "./api.js";
import { curves, lineKey } from "./curves.js";
import { clock, draw, fill, make } from "./dom.js";
import { colourOf } from "./looks.js";

const FILES = { json: "JSON", csv: "CSV", srt: "SRT", vtt: "VTT", png: "PNG" };

export class Reading {
  /**
   * @param {string} name of the model @param {any} timeline @param {boolean} compared whether its name must be told
   * @param {(start: number, end: number | null) => void} play
   */
  constructor(name, timeline, compared, play) {
    this.name = name;
    this.timeline = timeline;
    this.compared = compared;
    this.play = play;
    this.tasks = Object.keys(timeline.labels);
    this.element = make("article", { class: "reading", "aria-label": `Answers of the model ${name}` }, ...this.parts());
  }

  /** @returns {Node[]} */
  parts() {
    const { timeline } = this;
    const found = [this.compared ? make("h3", {}, this.name) : null, this.summary(), this.picture(), ...this.words(), ...this.faces(), this.facts()];
    found.push(this.table(), this.downloads());
    return found.filter(part => part !== null && timeline);
  }

  /** The player is at a second: marks the segment and tells it. @param {number} seconds @returns {string} "" between segments */
  follow(seconds) {
    const { start, seconds: length, segments } = this.timeline;
    const share = Math.max(0, Math.min(1, (seconds - start) / (length || 1)));
    for (const head of this.heads) head.style.left = `${100 * share}%`;
    const at = segments.findIndex((/** @type {any} */ one) => one.start <= seconds && seconds < one.end);
    if (at !== this.at) {
      this.buttons.forEach((button, i) => button.classList.toggle("playing", i === at));
      this.at = at;
    }
    this.wordButtons.forEach((button, i) => {
      const word = timelineWords(this.timeline)[i];
      button.classList.toggle("said", word.start <= seconds && seconds < word.end);
    });
    return at < 0 ? "" : `${this.compared ? `${this.name}: ` : ""}${this.told(segments[at])}`;
  }

  /** "anger 71 % (unsure)" @param {any} answers */
  told(answers) {
    return this.tasks.filter(task => answers[task]).map(task => say(answers[task])).join(", ");
  }

  summary() {
    const { timeline } = this;
    if (!timeline.segments.length) return make("p", { class: "summary" }, "Nobody speaks in this clip. Untick “Only where somebody speaks” to have all of it answered.");
    const blocks = this.tasks.map(task => {
      const answer = timeline.summary[task];
      const classes = timeline.labels[task];
      const bars = classes.flatMap((/** @type {string} */ name) => {
        const bar = make("i");
        bar.style.width = `${100 * answer.probabilities[name]}%`;
        bar.style.background = colourOf(name, classes);
        return [make("span", {}, name), bar, make("span", {}, percent(answer.probabilities[name]))];
      });
      const note = task === "gender" ? make("p", { class: "soft" }, "Gender as annotated in the training corpus: what a voice sounded like to those who made it, not who somebody is.") : null;
      const unsure = answer.unsure ? make("p", { class: "soft" }, "Unsure: its confidence is below what the model’s validation found worth telling.") : null;
      return make("div", {}, make("p", { class: "summary" }, `Whole clip, ${task}: `, make("strong", {}, say(answer))), unsure, make("div", { class: "bars" }, ...bars), note);
    });
    return make("div", {}, ...blocks);
  }

  picture() {
    const { timeline } = this;
    this.heads = /** @type {HTMLElement[]} */ ([]);
    this.buttons = /** @type {HTMLElement[]} */ ([]);
    const head = () => {
      const line = make("div", { class: "head" });
      this.heads.push(line);
      return line;
    };
    const lane = make("div", { class: "lane" }, wave(timeline.peaks));
    for (const task of this.tasks) lane.append(this.bands(task));
    lane.append(curves(timeline, this.tasks[0]), head());
    const zoom = make("input", { type: "range", min: 1, max: 20, step: 0.5, value: 1, "aria-label": "Zoom of the timeline" });
    zoom.addEventListener("input", () => (lane.style.width = `${100 * zoom.value}%`));
    const legend = this.tasks.slice(0, 1).flatMap(task => timeline.labels[task].map((/** @type {string} */ name) => key(name, timeline.labels[task])));
    const end = timeline.start + timeline.seconds;
    return make("div", {},
      make("h3", {}, "Over time"),
      make("ul", { class: "legend", "aria-label": "Classes" }, ...legend),
      make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Waveform, segments and probabilities over time" }, lane),
      make("div", { class: "times", "aria-hidden": true }, make("span", {}, clock(timeline.start)), make("span", {}, clock((timeline.start + end) / 2)), make("span", {}, clock(end))),
      timeline.seconds > 20 ? make("label", { class: "check" }, "Zoom", zoom) : null,
      make("p", { class: "soft" }, "Choose a segment to hear it. Hatched segments are unsure. The lines are the probability of each class."));
  }

  /** Segments as buttons on the time axis. @param {string} task */
  bands(task) {
    const { timeline } = this;
    const strip = make("div", { class: "bands", role: "group", "aria-label": `Segments: ${task}` });
    timeline.segments.forEach((/** @type {any} */ one) => {
      const answer = one[task];
      const button = make("button", {
        type: "button", class: answer.unsure ? "unsure" : null, title: `${say(answer)}, ${clock(one.start)} to ${clock(one.end)}`,
        "aria-label": `${say(answer)}, ${clock(one.start)} to ${clock(one.end)}: play`,
        onclick: () => this.play(one.start, one.end),
      }, answer.label);
      button.style.left = `${100 * (one.start - timeline.start) / timeline.seconds}%`;
      button.style.width = `${100 * (one.end - one.start) / timeline.seconds}%`;
      button.style.backgroundColor = colourOf(answer.label, timeline.labels[task]);
      if (task === this.tasks[0]) this.buttons.push(button);
      strip.append(button);
    });
    return strip;
  }

  words() {
    const words = timelineWords(this.timeline);
    this.wordButtons = words.map((/** @type {any} */ word) =>
      make("button", { type: "button", title: clock(word.start), onclick: () => this.play(word.start, null) }, word.text));
    if (!words.length) return [];
    return [make("h3", {}, "Words"), make("p", { class: "words" }, ...this.wordButtons.flatMap((/** @type {any} */ one) => [one, " "]))];
  }

  faces() {
    const { faces } = this.timeline;
    if (!faces?.length) return [];
    return [
      make("h3", {}, "Faces found"),
      make("ul", { class: "faces" }, ...faces.map((/** @type {any} */ one) =>
        make("li", {}, make("img", { src: one.image, alt: `Face at ${clock(one.time)}` }), make("span", {}, clock(one.time))))),
    ];
  }

  facts() {
    const { timeline } = this;
    const used = new Set(timeline.segments.flatMap((/** @type {any} */ one) => one.modalities));
    const missing = Object.keys(this.modalities || {}).filter(name => !used.has(name));
    const notes = [
      used.size ? `The answers come from: ${[...used].join(", ")}.` : null,
      missing.length ? `Missing in this clip: ${missing.join(", ")}.` : null,
      ...timeline.faults, timeline.warning || null,
    ].filter(Boolean);
    return make("ul", { class: "notes", "aria-label": "What to know" }, ...notes.map(note => make("li", {}, note)));
  }

  table() {
    const { timeline } = this;
    const headings = ["from", "to", ...this.tasks.flatMap(task => [task, "confidence"]), "from modalities", "words"];
    const rows = timeline.segments.map((/** @type {any} */ one) => {
      const cells = [clock(one.start), clock(one.end), ...this.tasks.flatMap(task => [`${one[task].label}${one[task].unsure ? " (unsure)" : ""}`, percent(one[task].confidence)])];
      return make("tr", {}, ...[...cells, one.modalities.join(" + "), one.text].map(text => make("td", {}, text)));
    });
    return make("details", {},
      make("summary", {}, timeline.segments.length === 1 ? "The segment as a table" : `All ${timeline.segments.length} segments as a table`),
      make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table of segments" },
        make("table", {}, make("caption", {}, `Segments by ${this.name}`),
          make("thead", {}, make("tr", {}, ...headings.map(text => make("th", { scope: "col" }, text)))), make("tbody", {}, ...rows))));
  }

  downloads() {
    const said = make("span", { role: "status" });
    const buttons = Object.entries(FILES).map(([format, name]) =>
      make("button", { type: "button", "aria-label": `Download ${name}`, onclick: () => this.download(format, said) }, name));
    return make("div", {}, make("h3", {}, "Take it away"), make("div", { class: "row" }, ...buttons, said));
  }

  /** @param {string} format @param {HTMLElement} said */
  async download(format, said) {
    try {
      const answer = await request(`v1/jobs/${this.timeline.job}/timeline?format=${format}`);
      const address = URL.createObjectURL(await answer.blob());
      make("a", { href: address, download: `timeline.${format}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
      fill(said, "");
    } catch (error) {
      fill(said, /** @type {Error} */ (error).message);
    }
  }
}

/** @param {any} answer */
function say(answer) {
  return `${answer.label} ${percent(answer.confidence)}${answer.unsure ? " (unsure)" : ""}`;
}

/** @param {number} share */
function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/** @param {any} timeline @returns {any[]} */
function timelineWords(timeline) {
  return timeline.words || [];
}

/** @param {{values: number[]}} peaks */
function wave(peaks) {
  const values = peaks?.values || [];
  const most = Math.max(0.05, ...values);
  const top = values.map((value, i) => `${i} ${50 - 48 * value / most}`).join("L");
  const bottom = values.map((value, i) => `${i} ${50 + 48 * value / most}`).reverse().join("L");
  const shape = values.length ? `M${top}L${bottom}Z` : "";
  return draw("svg", { class: "wave", viewBox: `0 0 ${Math.max(1, values.length - 1)} 100`, preserveAspectRatio: "none", "aria-hidden": true }, draw("path", { d: shape }));
}

/** A class in the legend: its colour and its dash. @param {string} name @param {string[]} classes */
function key(name, classes) {
  const swatch = make("span", { class: "swatch" });
  swatch.style.background = colourOf(name, classes);
  return make("li", {}, swatch, lineKey(name, classes), name);
}
