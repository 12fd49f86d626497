/** The form beside the clip: models, words, classes and the rest, as the service's fields. */

import { fill, find, make } from "./dom.js";
import { tasksOf } from "./looks.js";

const NUMBERS = ["unsure", "window", "channel", "track"];

export class Asking {
  /** @param {any[]} models as /v1/models lists them */
  constructor(models) {
    this.models = models;
    const options = () => models.map(one => make("option", { value: one.name }, one.name));
    fill(find("model"), ...options());
    fill(find("second"), make("option", { value: "" }, "no other"), ...options());
    find("second-field").hidden = models.length < 2;
    find("model").addEventListener("change", () => this.show());
    find("second").addEventListener("change", () => this.showWhatAnyReads());
    this.show();
  }

  get model() {
    return this.models.find(one => one.name === find("model").value) || this.models[0];
  }

  /** The models that are asked: one, or two to compare. @returns {any[]} */
  get asked() {
    const second = this.models.find(one => one.name === find("second").value);
    return second && second !== this.model ? [this.model, second] : [this.model];
  }

  /** What depends on the model. */
  show() {
    const model = this.model;
    find("asr-field").hidden = !model.recogniser;
    this.showWhatAnyReads();
    find("model-told").textContent = `Reads ${Object.keys(model.modalities).join(", ")}. ${model.warning || ""}`.trim();
    find("window").placeholder = `${model.window}`;
    const classes = classesOf(model);
    find("classes-field").hidden = find("unsure-field").hidden = !classes.length;
    find("values-field").hidden = !classes.length || !Object.keys(model.ranges).length;
    fill(
      find("classes"),
      ...classes.map((/** @type {string} */ name) =>
        make("label", { class: "check" }, make("input", { type: "checkbox", value: name, checked: true }), name)),
    );
  }

  /** @returns {HTMLInputElement[]} */
  get boxes() {
    return [...find("classes").querySelectorAll("input")];
  }

  /** What one of the models that are asked knows. */
  showWhatAnyReads() {
    find("gender-field").hidden = !this.asked.some(one => "gender" in one.tasks);
    find("face-field").hidden = !this.asked.some(sees);
  }

  /** What is wrong with it, or "". @returns {string} */
  get fault() {
    for (const name of NUMBERS) if (!find(name).validity.valid) return `"${find(name).labels[0].textContent.trim()}" takes a number within its bounds.`;
    if (this.boxes.length && this.boxes.filter(box => box.checked).length < 2) return "Leave at least two classes: among one there is nothing to tell.";
    return "";
  }

  /** @param {File} clip @param {any} model @returns {FormData} */
  form(clip, model) {
    const form = new FormData();
    form.set("model", model.name);
    const tasks = tasksOf(model.tasks, model.ranges);
    const told = tasks.filter(task => task !== "gender" || find("gender").checked);
    form.set("tasks", (told.length ? told : tasks).join(","));
    if (find("values").checked && Object.keys(model.ranges).length) form.set("values", "true");
    const text = find("text").value.trim();
    if (text) form.set("text", text);
    else if (model.recogniser) form.set("asr", String(find("asr").checked));
    if (!find("vad").checked) form.set("vad", "false");
    for (const field of NUMBERS)
      if (find(field).value && (field !== "unsure" || Object.keys(model.tasks).length)) form.set(field, find(field).value);
    if (sees(model) && find("face").value) form.set("face", find("face").value);
    const unwanted = this.boxes.filter(box => !box.checked).map(box => box.value);
    const classes = classesOf(model);
    // the other model may know other classes: of its own, those that were not taken out
    if (classes.some((/** @type {string} */ one) => unwanted.includes(one)))
      form.set("classes", classes.filter((/** @type {string} */ one) => !unwanted.includes(one)).join(","));
    form.set("clip", clip); // last: a form that is refused need not carry it
    return form;
  }
}

/** Whether a model reads faces. @param {any} model @returns {boolean} */
function sees(model) {
  return Object.values(model.modalities).includes("video");
}

/** Those that can be chosen: of the first task but gender; none of a model that tells ratings alone. @param {any} model @returns {string[]} */
function classesOf(model) {
  const tasks = Object.keys(model.tasks);
  return model.tasks[tasks.find(name => name !== "gender") || tasks[0]] || [];
}
