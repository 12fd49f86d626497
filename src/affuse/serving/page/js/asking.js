/** The form beside the clip: models, words, classes and the rest, as the service's fields. */

import { fill, find, make } from "./dom.js";

export class Asking {
  /** @param {any[]} models as /v1/models lists them */
  constructor(models) {
    this.models = models;
    const options = () => models.map(one => make("option", { value: one.name }, one.name));
    fill(find("model"), ...options());
    fill(find("second"), make("option", { value: "" }, "no other"), ...options());
    find("second-field").hidden = models.length < 2;
    find("model").addEventListener("change", () => this.show());
    this.show();
  }

  get model() {
    return this.models.find(one => one.name === find("model").value) || this.models[0];
  }

  /** The names of the models that are asked: one, or two to compare. @returns {string[]} */
  get names() {
    const second = find("second").value;
    return second && second !== this.model.name ? [this.model.name, second] : [this.model.name];
  }

  /** What depends on the model. */
  show() {
    const model = this.model;
    find("asr-field").hidden = !model.recogniser;
    find("gender-field").hidden = !("gender" in model.tasks);
    find("window").placeholder = `${model.window}`;
    const task = Object.keys(model.tasks).find(name => name !== "gender") || Object.keys(model.tasks)[0];
    fill(
      find("classes"),
      ...model.tasks[task].map((/** @type {string} */ name) =>
        make("label", { class: "check" }, make("input", { type: "checkbox", value: name, checked: true }), name)),
    );
  }

  /** What is wrong with it, or "". @returns {string} */
  get fault() {
    for (const name of ["unsure", "window"]) if (!find(name).validity.valid) return `"${find(name).labels[0].textContent.trim()}" takes a number within its bounds.`;
    const boxes = /** @type {HTMLInputElement[]} */ ([...find("classes").querySelectorAll("input")]);
    if (boxes.filter(box => box.checked).length < 2) return "Leave at least two classes: among one there is nothing to tell.";
    return "";
  }

  /** @param {File} clip @param {string} name of the model @returns {FormData} */
  form(clip, name) {
    const form = new FormData();
    const model = this.models.find(one => one.name === name);
    form.set("model", name);
    const told = Object.keys(model.tasks).filter(task => task !== "gender" || find("gender").checked);
    form.set("tasks", (told.length ? told : Object.keys(model.tasks)).join(","));
    const text = find("text").value.trim();
    if (text) form.set("text", text);
    else if (model.recogniser) form.set("asr", String(find("asr").checked));
    if (!find("vad").checked) form.set("vad", "false");
    for (const field of ["unsure", "window"]) if (find(field).value) form.set(field, find(field).value);
    const boxes = /** @type {HTMLInputElement[]} */ ([...find("classes").querySelectorAll("input")]);
    if (name === this.model.name && boxes.some(box => !box.checked))
      form.set("classes", boxes.filter(box => box.checked).map(box => box.value).join(","));
    form.set("clip", clip); // last: a form that is refused need not carry it
    return form;
  }
}
