/** The first tab: a clip goes to the service, its job is followed, its timeline is shown. */

import { follow, forget, getJson, upload } from "./api.js";
import { find } from "./dom.js";
import { percent } from "./looks.js";
import { Result } from "./result.js";
import { setUpSource } from "./source.js";

const STAGES = { queued: "Waiting", reading: "Reading the clip", hearing: "Recognising the words", predicting: "Predicting" };

/** @param {import("./asking.js").Asking} asking */
export function setUpTrying(asking) {
  /** @type {File | null} */
  let clip = null;
  /** @type {AbortController | null} */
  let running = null;
  let filledIn = ""; // the words of an example; they go with it
  setUpSource((file, words) => {
    clip = file;
    if (words || find("text").value === filledIn) find("text").value = filledIn = words;
    find("go").disabled = running !== null;
    if (!running) tell("");
    showError("");
  }, showError);
  /** @type {Result | null} */
  let shown = null;

  find("ask").addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!clip || running) return;
    if (asking.fault) return showError(asking.fault);
    running = new AbortController();
    begin();
    shown?.end();
    shown = null;
    let sentence = "";
    try {
      const answers = [];
      for (const model of asking.asked) answers.push(await predict(asking, clip, model, running.signal));
      shown = new Result(find("result"), clip, answers);
      tell("");
    } catch (error) {
      if (running.signal.aborted) tell("Cancelled.");
      else sentence = /** @type {Error} */ (error).message;
    }
    running = null;
    end();
    if (shown) {
      shown.show();
      find("result").focus();
    } else if (sentence) showError(sentence);
    else find("go").focus();
  });
  find("cancel").addEventListener("click", () => running?.abort());
  addEventListener("pagehide", () => running?.abort());
}

/** @param {import("./asking.js").Asking} asking @param {File} clip @param {any} model @param {AbortSignal} signal */
async function predict(asking, clip, model, signal) {
  const whose = asking.asked.length > 1 ? ` (${model.name})` : "";
  tell(`Sending${whose}`);
  const job = await upload("v1/jobs", asking.form(clip, model), share => progress(share, percent(share)), signal);
  const stop = () => forget(job.id);
  signal.addEventListener("abort", stop);
  const last = await follow(job.id, now => {
    const place = now.state === "queued" && now.position ? `, place ${now.position} in the queue` : "";
    const stage = STAGES[/** @type {keyof typeof STAGES} */ (now.state)];
    if (stage) tell(`${stage}${whose}${place}`);
    progress(now.windows ? now.windows_done / now.windows : null, now.windows ? `${now.windows_done} of ${now.windows} windows` : "");
  }, signal);
  if (last.problem) throw new Error(last.problem.detail);
  if (last.state !== "done") throw new Error("The service has stopped the work on this clip.");
  const { timeline } = await getJson(`v1/jobs/${job.id}?detail=full`);
  signal.removeEventListener("abort", stop);
  return { model, timeline, job: job.id };
}

function begin() {
  showError("");
  find("result").hidden = true;
  find("cancel").hidden = false;
  find("cancel").focus(); // the button that had it can be pressed no more
  find("go").disabled = true;
  find("progress").hidden = false;
  progress(null);
}

function end() {
  find("go").disabled = false;
  find("cancel").hidden = true;
  find("progress").hidden = true;
  find("count").textContent = "";
}

/** @param {string} stage */
function tell(stage) {
  find("stage").textContent = stage;
}

/** Not in the stage, which is read out at every change. @param {number | null} share null: nobody knows it @param {string} [count] */
function progress(share, count = "") {
  find("count").textContent = count;
  if (share === null) find("progress").removeAttribute("value");
  else find("progress").value = share;
}

/** @param {string} sentence "" takes the last one away */
function showError(sentence) {
  const place = find("error");
  place.textContent = sentence;
  place.hidden = !sentence;
  if (sentence) {
    tell("");
    place.focus();
  }
}
