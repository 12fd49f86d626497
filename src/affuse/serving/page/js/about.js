/** The second tab: a model's card, its licences, the figures of its report, and the map of its embeddings. */

import { getJson, request } from "./api.js";
import { draw, fill, find, make } from "./dom.js";
import { colourOf } from "./looks.js";
import { markdown } from "./markdown.js";
import { rove } from "./roving.js";

const REACH = 0.045; // 24 CSS pixels across where the map is 550 wide
const SHAPES = ["circle", "square", "triangle", "diamond"];

/** @param {any[]} models @returns {() => void} shows the chosen model; called when the tab is opened */
export function setUpAbout(models) {
  const choice = find("shown-model");
  fill(choice, ...models.map(one => make("option", { value: one.name }, one.name)));
  let shown = "";
  const show = async () => {
    if (shown === choice.value) return;
    shown = choice.value;
    fill(find("about"), make("p", { role: "status" }, "Loading …"));
    try {
      const model = await getJson(`v1/models/${encodeURIComponent(shown)}`);
      fill(find("about"), ...parts(model));
      if (model.map) showMap(model);
    } catch (error) {
      fill(find("about"), make("div", { class: "error", role: "alert" }, /** @type {Error} */ (error).message));
      shown = "";
    }
  };
  choice.addEventListener("change", show);
  return show;
}

/** @param {any} model @returns {Node[]} */
function parts(model) {
  const tasks = Object.entries(model.tasks).map(([task, classes]) => make("li", {}, make("strong", {}, `${task}: `), /** @type {string[]} */ (classes).join(", ")));
  const ratings = Object.entries(model.ranges).map(([task, [low, high]]) => make("li", {}, make("strong", {}, `${task}: `), `a number from ${low} to ${high}`));
  const found = [
    make("h2", {}, "What it tells"), make("p", {}, model.description), make("ul", {}, ...tasks, ...ratings),
    make("h2", {}, "Licences"), licences(model.licences.parts), make("p", { class: "verdict" }, model.licences.verdict),
  ];
  if (model.trained_on.length) found.push(make("h2", {}, "Trained on"), make("ul", {}, ...model.trained_on.map((/** @type {any} */ one) => make("li", {}, one.licence ? `${one.title} (${one.licence})` : one.title))));
  if (model.figures.length) found.push(make("h2", {}, "From its report"), figures(model.figures));
  if (model.map) found.push(make("h2", {}, "Embedding map"), make("div", { id: "map-place" }, make("p", { role: "status" }, "Loading the map …")));
  if (model.card) found.push(make("h2", {}, "Model card"), make("div", { class: "card" }, ...markdown(model.card)));
  return found;
}

/** @param {any[]} rows */
function licences(rows) {
  const names = ["part", "what", "licence", "commercial"];
  const headings = ["Part", "What", "Licence", "Commercial use"];
  return make("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Table of licences" }, make("table", {},
    make("thead", {}, make("tr", {}, ...headings.map(text => make("th", { scope: "col" }, text)))),
    make("tbody", {}, ...rows.map(row => make("tr", {}, ...names.map(name => make("td", {}, row[name])))))));
}

/** Their addresses need the token, which <img> cannot send. @param {any[]} list */
function figures(list) {
  return make("ul", { class: "figures" }, ...list.map(one => {
    const picture = make("img", { alt: one.alt });
    request(one.href).then(answer => answer.blob()).then(content => (picture.src = URL.createObjectURL(content)), () => {});
    return make("li", {}, make("figure", {}, picture, make("figcaption", {}, one.title)));
  }));
}

/** @param {any} model */
async function showMap(model) {
  const place = find("map-place");
  try {
    const { points, utterances } = await getJson(model.map);
    const task = Object.keys(model.tasks)[0];
    const classes = model.tasks[task];
    const said = make("p", { role: "status" });
    const audible = points.some((/** @type {any} */ one) => one.audible);
    const picture = draw("svg", { viewBox: "-1.05 -1.05 2.1 2.1", role: audible ? "toolbar" : "img", "aria-label": `${points.length} test utterances` });
    const marks = points.map((/** @type {any} */ one) => point(model, one, task, classes, said));
    picture.append(...marks);
    if (audible) rove(picture, marks.filter((/** @type {any} */ mark) => mark.hasAttribute("role")));
    fill(place,
      make("p", {}, `${points.length} of ${utterances} utterances of the test part, placed by t-SNE; near ones look alike to the model. Filled: what the corpus says; ringed: the model says otherwise. ${audible ? "Choose one to hear it." : "They cannot be played: their corpus is not at hand."}`),
      make("ul", { class: "legend" }, ...classes.map((/** @type {string} */ name) => make("li", {}, draw("svg", { viewBox: "-1 -1 2 2", "aria-hidden": true }, shape(name, classes, 0.8)), name))),
      make("div", { class: "map" }, picture), said);
  } catch (error) {
    fill(place, make("p", {}, /** @type {Error} */ (error).message));
  }
}

/** @param {any} model @param {any} one @param {string} task @param {string[]} classes @param {HTMLElement} said */
function point(model, one, task, classes, said) {
  const label = one.labels[task] || one.answers[task];
  const wrong = one.labels[task] && one.answers[task] !== one.labels[task];
  const told = `${one.id}: ${one.labels[task] ? `labelled ${label}` : "no label"}, model says ${one.answers[task]}`;
  const mark = draw("g", { transform: `translate(${one.x} ${one.y})` }, draw("title", {}, told), shape(label, classes, 0.026));
  if (wrong) mark.append(draw("circle", { r: 0.04, fill: "none", stroke: "currentColor", "stroke-width": 0.008 }));
  if (!one.audible) return mark;
  mark.prepend(draw("circle", { class: "reach", r: REACH, fill: "transparent" }));
  mark.setAttribute("role", "button");
  mark.setAttribute("aria-label", `${told}; play`);
  const play = async () => {
    said.textContent = told;
    try {
      const answer = await request(`v1/models/${encodeURIComponent(model.name)}/utterances/${one.id.split("/").map(encodeURIComponent).join("/")}`);
      await new Audio(URL.createObjectURL(await answer.blob())).play();
    } catch (error) {
      said.textContent = /** @type {Error} */ (error).message;
    }
  };
  mark.addEventListener("click", play);
  mark.addEventListener("keydown", (/** @type {any} */ event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    play();
  });
  return mark;
}

/** @param {string} name @param {string[]} classes @param {number} size */
function shape(name, classes, size) {
  const kind = SHAPES[classes.indexOf(name) % SHAPES.length];
  const look = { fill: colourOf(name, classes), stroke: "currentColor", "stroke-width": size / 5 };
  if (kind === "circle") return draw("circle", { r: size, ...look });
  const paths = { square: "M-1-1H1V1H-1Z", triangle: "M0-1.2L1.1.9H-1.1Z", diamond: "M0-1.3L1.3 0 0 1.3-1.3 0Z" };
  return draw("path", { d: paths[/** @type {keyof typeof paths} */ (kind)], transform: `scale(${size})`, ...look, "stroke-width": 0.2 });
}
