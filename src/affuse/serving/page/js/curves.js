/** Probabilities over time: a step line for each class, told apart by colour and dash. */

import { draw, make } from "./dom.js";
import { colourOf, dashOf } from "./looks.js";

/** @param {any} timeline with `moments` @param {string} task @returns {HTMLElement} */
export function curves(timeline, task) {
  const classes = timeline.labels[task];
  const at = (/** @type {number} */ seconds) => (1000 * (seconds - timeline.start)) / (timeline.seconds || 1);
  const picture = draw("svg", { class: "curves", viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img",
    "aria-label": `Probabilities of ${task} over time; the table below has them in numbers` });
  for (const share of [0.25, 0.5, 0.75]) picture.append(draw("path", { class: "rule", d: `M0 ${100 - 100 * share}H1000` }));
  for (const name of classes) {
    let path = "";
    let end = -1;
    for (const one of timeline.moments || []) {
      const y = (98 - 96 * one[task][name]).toFixed(1);
      path += one.start - end > 1e-3 ? `M${at(one.start).toFixed(1)} ${y}` : `V${y}`;
      path += `H${at(one.end).toFixed(1)}`;
      end = one.end;
    }
    const line = draw("path", { d: path, "stroke-dasharray": dashOf(name, classes) || null });
    line.style.stroke = `color-mix(in srgb, ${colourOf(name, classes)} 70%, var(--ink))`;
    picture.append(line);
  }
  const scale = (/** @type {string} */ place, /** @type {string} */ text) => make("span", { class: place, "aria-hidden": true }, text);
  return make("div", { class: "curves-box" }, picture, scale("one", "1"), scale("half", "0.5"));
}

/** The line of a class, for the legend. @param {string} name @param {string[]} classes */
export function lineKey(name, classes) {
  const line = draw("path", { d: "M0 5H30", "stroke-width": 3, fill: "none", "stroke-dasharray": dashOf(name, classes) || null });
  line.style.stroke = `color-mix(in srgb, ${colourOf(name, classes)} 70%, var(--ink))`;
  return draw("svg", { viewBox: "0 0 30 10", "aria-hidden": true }, line);
}
