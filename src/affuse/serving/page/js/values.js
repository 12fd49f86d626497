/** A rating over time: its curve in steps on the whole scale, the band around it, and the number under the pointer. */

import { clock, draw, make } from "./dom.js";
import { band, number, sayValue } from "./looks.js";

export class Values {
  /** @param {any} timeline with `ranges`, `coverage` and `curves` @param {string} task */
  constructor(timeline, task) {
    this.task = task;
    this.timeline = timeline;
    this.range = timeline.ranges[task];
    /** @type {any[]} */
    this.curve = timeline.curves[task];
    this.told = make("span", { class: "told" }, task);
    this.tip = make("span", { class: "tip", hidden: true });
    const [low, high] = this.range;
    const parts = this.stretches().flatMap(one => [
      ...(task in timeline.coverage && timeline.coverage[task] !== null ? [draw("path", { class: "band", d: this.outline(one) })] : []),
      draw("path", { class: "line", d: this.steps(one, "mean", "M") }),
    ]);
    const picture = draw("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none" }, draw("path", { class: "rule", d: "M0 50H1000" }), ...parts);
    const marks = [`${high}`, number((low + high) / 2, this.range), `${low}`].map(mark => make("span", { class: "mark" }, mark));
    const scale = make("div", { class: "marks" }, ...marks);
    const about = `${task} over time, from ${low} to ${high}; the table of moments below has it in numbers`;
    this.element = make("div", { class: "values", role: "img", "aria-label": about }, picture, scale, this.told, this.tip);
    this.element.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => this.point(event));
    this.element.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  /** The moment of a second, if somebody speaks there. @param {number} seconds @returns {any} */
  at(seconds) {
    return this.curve.find(one => one.start <= seconds && seconds < one.end);
  }

  /** The number of the moment that plays, beside the task's name. @param {number} seconds */
  follow(seconds) {
    const now = this.at(seconds);
    if (now === this.now) return;
    this.now = now;
    this.told.textContent = now ? sayValue(this.task, now, this.range) : this.task;
  }

  /** @param {PointerEvent} event */
  point(event) {
    const { start, seconds } = this.timeline;
    const box = this.element.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    const moment = this.at(start + seconds * share);
    this.tip.hidden = !moment;
    if (!moment) return;
    this.tip.textContent = `${clock(moment.start)}: ${sayValue(this.task, moment, this.range)}${band(moment, this.range)}`;
    this.tip.style.left = `${100 * share}%`;
    // on the side that has room, in the window as well as in the lane
    this.tip.classList.toggle("left", event.clientX > document.documentElement.clientWidth / 2);
  }

  /** Moments without a pause between them. @returns {any[][]} */
  stretches() {
    /** @type {any[][]} */
    const found = [];
    for (const one of this.curve) {
      const last = found.at(-1)?.at(-1);
      if (last && one.start - last.end < 0.002) found.at(-1)?.push(one);
      else found.push([one]);
    }
    return found;
  }

  /** @param {any[]} moments @param {"mean" | "low" | "high"} name @param {string} first M or L @returns {string} */
  steps(moments, name, first) {
    return first + moments.map(one => `${this.x(one.start)} ${this.y(one[name])}H${this.x(one.end)}`).join("L");
  }

  /** The band, there along its upper edge and back along its lower one. @param {any[]} moments @returns {string} */
  outline(moments) {
    const back = [...moments].reverse().map(one => `L${this.x(one.end)} ${this.y(one.low)}H${this.x(one.start)}`);
    return `${this.steps(moments, "high", "M")}${back.join("")}Z`;
  }

  /** @param {number} seconds */
  x(seconds) {
    return ((1000 * (seconds - this.timeline.start)) / (this.timeline.seconds || 1)).toFixed(2);
  }

  /** @param {number} rating */
  y(rating) {
    const [low, high] = this.range;
    return (97 - (94 * (rating - low)) / (high - low)).toFixed(2);
  }
}
