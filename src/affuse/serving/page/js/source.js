/** Where the clip comes from: dropped, chosen, an example, or recorded here. */

import { fill, find, make } from "./dom.js";
import { deviceProblem, levelOf, Microphone, Webcam } from "./microphone.js";
import { wavOf } from "./wav.js";

/**
 * @param {(file: File, words: string) => void} chosen called with the clip, and the words where they are known
 * @param {(sentence: string) => void} failed
 */
export function setUpSource(chosen, failed) {
  const take = (/** @type {File} */ file, words = "") => {
    const size = file.size < 1e6 ? `${Math.ceil(file.size / 1e3)} kB` : `${(file.size / 1e6).toFixed(1)} MB`;
    find("chosen").textContent = `${file.name} (${size})`;
    chosen(file, words);
  };
  setUpFiles(take);
  setUpRecording(find("record-sound"), "Record the microphone", sound(), take, failed, "microphone");
  setUpRecording(find("record-film"), "Record the webcam", film(), take, failed, "webcam");
  setUpExamples(take, failed);
}

/** @param {(file: File) => void} take */
function setUpFiles(take) {
  const field = find("file");
  field.addEventListener("change", () => field.files.length && take(field.files[0]));
  const place = find("drop");
  for (const name of ["dragenter", "dragover"])
    place.addEventListener(name, (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      place.classList.add("over");
    });
  for (const name of ["dragleave", "drop"]) place.addEventListener(name, () => place.classList.remove("over"));
  place.addEventListener("drop", (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}

/**
 * A button that begins and ends a recording.
 * @param {HTMLElement} button @param {string} name @param {{start: () => Promise<void>, stop: () => Promise<File>}} recording
 * @param {(file: File) => void} take @param {(sentence: string) => void} failed @param {string} device
 */
function setUpRecording(button, name, recording, take, failed, device) {
  let running = false;
  button.addEventListener("click", async () => {
    button.toggleAttribute("disabled", true);
    try {
      if (running) take(await recording.stop());
      else await recording.start();
      running = !running;
    } catch (error) {
      running = false;
      failed(deviceProblem(error, device));
    }
    button.toggleAttribute("disabled", false);
    button.setAttribute("aria-pressed", String(running));
    button.textContent = running ? "Stop recording" : name;
    if (running) find("chosen").textContent = `Recording the ${device} …`;
    button.focus();
  });
}

function sound() {
  /** @type {Float32Array[]} */
  let blocks = [];
  /** @type {Microphone} */
  let microphone;
  const level = find("level");
  return {
    async start() {
      blocks = [];
      microphone = new Microphone(block => {
        blocks.push(block);
        level.value = levelOf(block);
      });
      await microphone.start();
      level.hidden = false;
    },
    async stop() {
      const rate = microphone.rate;
      await microphone.stop();
      level.hidden = true;
      return new File([wavOf(blocks, rate)], "recording.wav", { type: "audio/wav" });
    },
  };
}

function film() {
  /** @type {Webcam} */
  let webcam;
  return {
    async start() {
      webcam = new Webcam(find("mirror"));
      await webcam.start();
    },
    stop: () => webcam.stop(),
  };
}

/** @param {(file: File, words: string) => void} take @param {(sentence: string) => void} failed */
async function setUpExamples(take, failed) {
  const answer = await fetch("page/examples/examples.json");
  if (!answer.ok) return;
  const examples = /** @type {{file: string, title: string, text: string}[]} */ (await answer.json());
  const row = find("examples");
  fill(
    row.querySelector(".row"),
    ...examples.map(one =>
      make("button", {
        type: "button",
        onclick: async () => {
          try {
            const content = await (await fetch(`page/examples/${one.file}`)).blob();
            take(new File([content], one.file, { type: content.type }), one.text);
          } catch {
            failed("The example cannot be fetched; is the service still running?");
          }
        },
      }, one.title)),
  );
  row.hidden = false;
}
