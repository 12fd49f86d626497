/** The first tab: a clip goes to the service, its job is followed, its timeline is shown. */

import { follow, getJson, request, upload } from "./api.js";
import { find } from "./dom.js";
import { Result } from "./result.js";
import { setUpSource } from "./source.js";

const STAGES = { queued: "Waiting", reading: "Reading the clip", hearing: "Recognising the words", predicting: "Predicting" };

/** @param {import("./asking.js").Asking} asking */
export function setUpTrying(asking) {
  /** @type {File | null} */
  let clip = null;
  /** @type {AbortController | null} */
  let running = null;
  setUpSource((file, words) => {
    clip = file;
    if (words) find("text").value = words;
    find("go").disabled = running !== null;
    showError("");
  }, showError);

  find("ask").addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!clip || running) return;
    if (asking.fault) return showError(asking.fault);
    running = new AbortController();
    begin();
    try {
      const answers = [];
      for (const name of asking.names) answers.push({ name, timeline: await predict(asking, clip, name, running.signal) });
      new Result(find("result"), clip, answers).show();
      find("result").focus();
    } catch (error) {
      const cancelled = error instanceof DOMException && error.name === "AbortError";
      if (cancelled) tell("Cancelled.");
      else showError(/** @type {Error} */ (error).message);
    }
    running = null;
    end();
  });
  find("cancel").addEventListener("click", () => running?.abort());
}

/** @param {import("./asking.js").Asking} asking @param {File} clip @param {string} name @param {AbortSignal} signal */
async function predict(asking, clip, name, signal) {
  const whose = asking.names.length > 1 ? ` (${name})` : "";
  tell(`Sending${whose}`);
  const job = await upload("v1/jobs", asking.form(clip, name), share => progress(share), signal);
  try {
    let last = job;
    await follow(job.id, now => {
      last = now;
      const place = now.state === "queued" && now.position ? `, place ${now.position}` : "";
      const windows = now.windows ? `: ${now.windows_done} of ${now.windows} windows` : "";
      const stage = STAGES[/** @type {keyof typeof STAGES} */ (now.state)];
      if (stage) tell(`${stage}${whose}${place}${windows}`);
      progress(now.windows ? now.windows_done / now.windows : null);
    }, signal);
    if (last.problem) throw new Error(last.problem.detail);
    const found = await getJson(`v1/jobs/${job.id}?detail=full`);
    return { ...found.timeline, job: job.id };
  } catch (error) {
    if (signal.aborted) request(`v1/jobs/${job.id}`, { method: "DELETE" }).catch(() => {});
    throw error;
  }
}

function begin() {
  showError("");
  find("result").hidden = true;
  find("go").disabled = true;
  find("cancel").hidden = false;
  find("progress").hidden = false;
  progress(null);
}

function end() {
  find("go").disabled = false;
  find("cancel").hidden = true;
  find("progress").hidden = true;
  if (!find("result").hidden) tell("");
}

/** @param {string} stage */
function tell(stage) {
  find("stage").textContent = stage;
}

/** @param {number | null} share null: nobody knows how much is left */
function progress(share) {
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
