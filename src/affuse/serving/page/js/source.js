/** Where the clip comes from: dropped, chosen, an example, or recorded here. */

import { clock, fill, find, make } from "./dom.js";
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
  field.addEventListener("change", () => {
    if (field.files.length) take(field.files[0]);
    field.value = ""; // so that the same file can be chosen again, when it has changed
  });
  if (field.files.length) take(field.files[0]); // chosen while the page was being put together
  const place = find("drop");
  // anywhere: a browser leaves the page for a file that is dropped beside
  addEventListener("dragover", event => {
    event.preventDefault();
    place.classList.add("over");
  });
  addEventListener("dragleave", event => event.relatedTarget === null && place.classList.remove("over"));
  addEventListener("drop", event => {
    event.preventDefault();
    place.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) take(file);
  });
}

/**
 * A button that begins and ends a recording.
 * @param {HTMLButtonElement} button @param {string} name @param {{start: () => Promise<void>, stop: () => Promise<File>}} recording
 * @param {(file: File) => void} take @param {(sentence: string) => void} failed @param {string} device
 */
function setUpRecording(button, name, recording, take, failed, device) {
  let running = false;
  let ticking = 0;
  button.addEventListener("click", async () => {
    button.disabled = true;
    let sentence = "";
    try {
      if (running) take(await recording.stop());
      else await recording.start();
      running = !running;
    } catch (error) {
      running = false;
      sentence = deviceProblem(error, device);
    }
    button.setAttribute("aria-pressed", String(running));
    button.textContent = running ? "Stop recording" : name;
    for (const other of ["file", "record-sound", "record-film"]) find(other).disabled = running && other !== button.id;
    clearInterval(ticking);
    const began = Date.now();
    const tell = () => (find("elapsed").textContent = running ? clock((Date.now() - began) / 1000, 0) : "");
    tell();
    if (running) {
      ticking = setInterval(tell, 500);
      find("chosen").textContent = `Recording the ${device} …`;
    }
    if (sentence) failed(sentence);
    else button.focus();
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
