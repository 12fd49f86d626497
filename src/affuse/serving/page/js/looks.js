/** The colours of classes, and how answers are worded. Nothing is told by a colour alone. */

// Okabe and Ito's colours, lightened: dark letters stand on them
const OWN = {
  anger: "#f0907c", happiness: "#f2c14e", sadness: "#8fbce6", neutral: "#c3cad1", fear: "#c9a4e0", disgust: "#a9cf7a",
  surprise: "#f5a6c9", boredom: "#d8c9a3", calm: "#9ad9cf", contempt: "#d9a78b", excitement: "#ffb066", frustration: "#e0a3a3",
  female: "#d7b3e6", male: "#a5d0c0",
};
const OTHERS = ["#8fbce6", "#f2c14e", "#f0907c", "#a9cf7a", "#c9a4e0", "#9ad9cf", "#f5a6c9", "#d8c9a3"];

/** @param {string} name @param {string[]} classes of its task */
export function colourOf(name, classes) {
  return OWN[/** @type {keyof typeof OWN} */ (name)] || OTHERS[classes.indexOf(name) % OTHERS.length];
}

/** "anger 71 % (unsure)" @param {any} answer of a task */
export function say(answer) {
  return `${answer.label} ${percent(answer.confidence)}${answer.unsure ? " (unsure)" : ""}`;
}

/** "valence 3.4" @param {string} task @param {any} value of a rating @param {number[]} range */
export function sayValue(task, value, range) {
  return `${task} ${number(value.mean, range)}`;
}

/** " (2.7 to 4.1)", or "" of a model without a band @param {any} value @param {number[]} range */
export function band(value, range) {
  return value.low === null ? "" : ` (${number(value.low, range)} to ${number(value.high, range)})`;
}

/** To a fortieth of the scale or less. @param {number} rating @param {number[]} range */
export function number(rating, [low, high]) {
  const digits = Math.max(0, Math.ceil(Math.log10(40 / (high - low))));
  return (Math.round(rating * 10 ** digits) / 10 ** digits || 0).toFixed(digits); // and no minus before a zero
}

/** All that a model or timeline tells: tasks with classes, then ratings. @param {any} classes @param {any} [ranges] */
export function tasksOf(classes, ranges = {}) {
  return [...Object.keys(classes), ...Object.keys(ranges)];
}

/** @param {number} share */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
