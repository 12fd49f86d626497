/** Probabilities over time: a row for each class, named at its left, as high as its probability. No colour is needed to tell them apart. */

import { draw, make } from "./dom.js";
import { colourOf } from "./looks.js";

/** @param {any} timeline with `moments` @param {string} task @returns {HTMLElement} */
export function curves(timeline, task) {
  const classes = timeline.labels[task];
  const rows = classes.map((/** @type {string} */ name) => {
    const path = draw("path", { d: outline(timeline, (/** @type {any} */ one) => one[task][name]) });
    path.style.fill = colourOf(name, classes);
    const picture = draw("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none" }, draw("path", { class: "rule", d: "M0 50H1000" }), path);
    return make("div", { class: "curve" }, picture, make("span", {}, name));
  });
  const told = `Probabilities of ${task} over time, a row for each class; the table below has them in numbers`;
  return make("div", { class: "curves", role: "img", "aria-label": told }, ...rows);
}

/** Columns from the ground, 100, to a share of the height. @param {any} timeline @param {(moment: any) => number} share */
function outline(timeline, share) {
  const x = (/** @type {number} */ seconds) => ((1000 * (seconds - timeline.start)) / (timeline.seconds || 1)).toFixed(2);
  return timeline.moments.map((/** @type {any} */ one) => `M${x(one.start)} 100V${(100 - 100 * share(one)).toFixed(2)}H${x(one.end)}V100Z`).join("");
}
