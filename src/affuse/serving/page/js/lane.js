/** What happens over time, on one axis: the waveform, for each task its segments and the probabilities of its classes, ratings. */

import { curves } from "./curves.js";
import { clock, draw, fill, make } from "./dom.js";
import { colourOf, number, say, sayValue } from "./looks.js";
import { rove } from "./roving.js";
import { Values } from "./values.js";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600]; // seconds between two ticks
const APART = 72; // CSS pixels that a tick and its time take
const FINEST = 5; // seconds that the picture shows at the strongest zoom

export class Lane {
  /**
   * @param {any} timeline @param {string[]} tasks those with classes @param {string[]} ratings
   * @param {{play: (start: number, end: number | null) => void, seek: (seconds: number) => void}} player
   */
  constructor(timeline, tasks, ratings, player) {
    this.timeline = timeline;
    this.tasks = tasks;
    this.player = player;
    this.head = make("div", { class: "head" });
    /** @type {HTMLElement[][]} */
    this.strips = []; // the segments of each task
    this.axis = make("div", { class: "axis", "aria-hidden": true });
    const seekable = [wave(timeline, tasks[0])];
    this.lane = make("div", { class: "lane" }, seekable[0]);
    for (const task of timeline.segments.length ? tasks : []) {
      const rows = curves(timeline, task);
      seekable.push(rows);
      this.lane.append(this.bands(task), rows);
    }
    this.values = timeline.segments.length ? ratings.map(task => new Values(timeline, task)) : [];
    if (this.values.length && !tasks.length) this.lane.append(this.stretches(ratings[0]));
    for (const { element } of this.values) {
      seekable.push(element);
      this.lane.append(element);
    }
    this.lane.append(this.axis, this.head);
    for (const part of [...seekable, this.axis])
      part.addEventListener("click", (/** @type {MouseEvent} */ event) => this.player.seek(this.secondsAt(event.clientX)));
    this.view = make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Waveform, segments, probabilities and ratings over time" }, this.lane);
    new ResizeObserver(() => this.ticks()).observe(this.lane);
  }

  /** @returns {Node[]} */
  parts() {
    const { seconds, segments } = this.timeline;
    const found = [make("h3", {}, "Over time"), this.view];
    if (seconds > 2 * FINEST) found.push(this.zoom());
    const said = [
      this.tasks.length ? "Choose a segment to hear it; hatched ones are unsure. Each row is a class, as high as its probability; the line in it is one half." : "Choose a stretch of speech to hear it.",
      this.values.length ? this.aboutValues() : "",
    ];
    if (segments.length) found.push(make("p", { class: "soft" }, said.filter(Boolean).join(" ")));
    return found;
  }

  /** @param {number} seconds of the clip, where the player is @param {boolean} playing */
  follow(seconds, playing) {
    const { start, seconds: length, segments } = this.timeline;
    const share = Math.max(0, Math.min(1, (seconds - start) / (length || 1)));
    this.head.style.left = `${100 * share}%`;
    const at = segments.findIndex((/** @type {any} */ one) => one.start <= seconds && seconds < one.end);
    if (at !== this.at) for (const strip of this.strips) strip.forEach((button, i) => button.classList.toggle("playing", i === at));
    this.at = at;
    for (const one of this.values) one.follow(seconds);
    const { view } = this;
    const x = share * this.lane.clientWidth;
    if (playing && (x < view.scrollLeft || x > view.scrollLeft + view.clientWidth)) view.scrollLeft = x - 0.1 * view.clientWidth;
    return at;
  }

  /** @param {number} x of the window, in CSS pixels */
  secondsAt(x) {
    const box = this.lane.getBoundingClientRect();
    return this.timeline.start + this.timeline.seconds * Math.max(0, Math.min(1, (x - box.left) / box.width));
  }

  /** How curves of ratings are read. */
  aboutValues() {
    const { coverage } = this.timeline;
    const shares = [...new Set(this.values.map(one => coverage[one.task]).filter(share => share !== null))];
    const bands = shares.length ? ` The pale band is as wide as ${shares.map(share => Math.round(100 * share)).join(" or ")} % of the errors on whole utterances of the model’s validation.` : "";
    return `A curve is a rating on its whole scale; the pointer tells its number.${bands}`;
  }

  /** Segments of a task with classes. @param {string} task */
  bands(task) {
    const { labels } = this.timeline;
    return this.strip(`Segments: ${task}`, (/** @type {any} */ { [task]: answer }) => ({
      text: answer.label, told: say(answer), unsure: answer.unsure, colour: colourOf(answer.label, labels[task]),
    }));
  }

  /** Segments where there are no classes. @param {string} task whose rating names them */
  stretches(task) {
    return this.strip("Stretches of speech", (/** @type {any} */ one) => {
      const range = this.timeline.ranges[task];
      return { text: number(one[task].mean, range), told: sayValue(task, one[task], range), unsure: false, colour: "#c3cad1" };
    });
  }

  /** Segments as buttons on the time axis. @param {string} name @param {(segment: any) => {text: string, told: string, unsure: boolean, colour: string}} look */
  strip(name, look) {
    const { timeline } = this;
    const buttons = timeline.segments.map((/** @type {any} */ one) => {
      const { text, told, unsure, colour } = look(one);
      const whole = `${told}, ${clock(one.start)} to ${clock(one.end)}`;
      const button = make("button", {
        type: "button", class: unsure ? "unsure" : null, title: whole, "aria-label": `${whole}: play`,
        onclick: () => this.player.play(one.start, one.end),
      }, make("span", {}, text));
      button.style.left = `${100 * (one.start - timeline.start) / timeline.seconds}%`;
      button.style.width = `${100 * (one.end - one.start) / timeline.seconds}%`;
      button.style.backgroundColor = colour;
      return button;
    });
    this.strips.push(buttons);
    const strip = make("div", { class: "bands", role: "toolbar", "aria-label": name }, ...buttons);
    rove(strip, buttons);
    return strip;
  }

  zoom() {
    const most = Math.min(40, this.timeline.seconds / FINEST);
    const field = make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0 });
    field.addEventListener("input", () => {
      const { view, lane } = this;
      const middle = (view.scrollLeft + view.clientWidth / 2) / lane.clientWidth;
      lane.style.width = `${100 * most ** field.value}%`;
      view.scrollLeft = middle * lane.clientWidth - view.clientWidth / 2;
    });
    return make("label", { class: "check zoom" }, "Zoom", field);
  }

  /** As many times as have room. */
  ticks() {
    const { start, seconds } = this.timeline;
    const width = this.lane.clientWidth;
    const step = STEPS.find(one => (one * width) / seconds >= APART) || seconds;
    const found = [];
    for (let i = Math.ceil(start / step - 1e-6); i * step < start + seconds; i++) {
      const share = (i * step - start) / seconds;
      if ((1 - share) * width < 0.6 * APART) break;
      const tick = make("span", {}, clock(i * step, step < 1 ? 1 : 0));
      tick.style.left = `${100 * share}%`;
      found.push(tick);
    }
    fill(this.axis, ...found);
  }
}

/** Every value is the loudest sample of a stretch, drawn at its middle; behind it the segments' colours. @param {any} timeline @param {string | undefined} task */
function wave({ peaks, start, seconds, segments, labels }, task) {
  const values = /** @type {number[]} */ (peaks.values);
  const most = Math.max(0.05, ...values);
  const width = values.length ? seconds / peaks.seconds : 1;
  const side = (/** @type {number} */ sign) => {
    const heights = values.map(value => (50 + (sign * 48 * value) / most).toFixed(1));
    return [`0 ${heights[0]}`, ...heights.map((y, i) => `${i + 0.5} ${y}`), `${width} ${heights[heights.length - 1]}`];
  };
  const tints = (task ? segments : []).map((/** @type {any} */ one) => {
    const tint = draw("rect", { x: ((one.start - start) / seconds) * width, width: ((one.end - one.start) / seconds) * width, height: 100 });
    tint.style.fill = colourOf(one[task].label, labels[task]);
    return tint;
  });
  const shape = values.length ? `M${[...side(-1), ...side(1).reverse()].join("L")}Z` : "";
  return draw("svg", { class: "wave", viewBox: `0 0 ${width} 100`, preserveAspectRatio: "none", "aria-hidden": true }, ...tints, draw("path", { d: shape }));
}
