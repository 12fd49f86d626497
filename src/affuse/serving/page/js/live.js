/** The third tab: the microphone goes to the service as one speaks, segments come back. */

import { subprotocols } from "./api.js";
import { clock, fill, find, make } from "./dom.js";
import { colourOf, say, sayValue } from "./looks.js";
import { deviceProblem, levelOf, Microphone } from "./microphone.js";
import { pcm } from "./wav.js";

const MOST = 500; // segments that stay on the page

/** @param {any[]} models */
export function setUpLive(models) {
  fill(find("live-model"), ...models.map(one => make("option", { value: one.name }, one.name)));
  const showWhatIsRead = () => {
    const chosen = models.find(one => one.name === find("live-model").value) || models[0];
    const sees = Object.values(chosen.modalities).includes("video");
    const without = `${chosen.name} reads pictures too, and answers without them here; record the webcam under Try for an answer with both.`;
    find("live-reads").textContent = `Live uses sound alone, no camera.${sees ? ` ${without}` : ""}`;
    find("live-warning").textContent = "";
  };
  find("live-model").addEventListener("change", showWhatIsRead);
  showWhatIsRead();
  const button = find("live-go");
  /** @type {Live | null} */
  let live = null;
  const ended = (/** @type {string} */ sentence) => {
    live = null;
    button.setAttribute("aria-pressed", "false");
    button.textContent = "Listen to the microphone";
    find("live-level").value = 0;
    find("live-state").textContent = "Not listening.";
    const place = find("live-error");
    place.textContent = sentence;
    place.hidden = !sentence;
    if (sentence) place.focus();
  };
  button.addEventListener("click", async () => {
    if (live) return live.stop();
    find("live-error").hidden = true;
    const model = models.find(one => one.name === find("live-model").value);
    live = new Live(model.name, model.ranges, ended);
    try {
      await live.start();
      button.setAttribute("aria-pressed", "true");
      button.textContent = "Stop";
    } catch (error) {
      live.close();
      ended(deviceProblem(error, "microphone"));
    }
  });
}

class Live {
  /** @param {string} model @param {Record<string, number[]>} ranges of its ratings @param {(sentence: string) => void} ended */
  constructor(model, ranges, ended) {
    this.model = model;
    this.ranges = ranges;
    this.ended = ended;
    this.list = find("live-segments");
    /** @type {Element[]} */
    this.open = []; // the lines of segments that may change
    this.over = false;
  }

  async start() {
    fill(this.list);
    find("live-warning").textContent = "";
    this.microphone = new Microphone(block => this.send(block));
    await this.microphone.start();
    const address = new URL(`v1/stream?model=${encodeURIComponent(this.model)}&rate=${Math.round(this.microphone.rate)}&format=s16le`, document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address, subprotocols());
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => (find("live-state").textContent = "Listening."));
    this.socket.addEventListener("message", event => this.heard(JSON.parse(event.data)));
    this.socket.addEventListener("close", event => this.close(event.code === 1000 || this.over ? "" : event.reason || "The service ended the stream."));
  }

  /** @param {Float32Array} block */
  send(block) {
    find("live-level").value = levelOf(block);
    if (this.socket?.readyState === WebSocket.OPEN && !this.over) this.socket.send(Int16Array.from(block, pcm).buffer);
  }

  /** @param {any} message */
  heard(message) {
    if (message.type === "problem") return this.close(message.detail);
    if (message.type === "end") return this.close("");
    if (message.type === "ready") find("live-warning").textContent = message.warning;
    if (message.type !== "segments") return undefined;
    for (const line of this.open) line.remove();
    this.open = message.partial.map((/** @type {any} */ one) => this.line(one, false));
    for (const one of message.final) {
      const line = this.line(one, true);
      this.list.prepend(line);
      find("live-told").textContent = line.textContent; // to a screen reader: what is final, once
    }
    for (const line of this.open) this.list.prepend(line);
    while (this.list.children.length > MOST) this.list.lastChild.remove();
    return undefined;
  }

  /** @param {any} segment @param {boolean} final */
  line(segment, final) {
    const tasks = Object.keys(segment).filter(name => segment[name]?.label);
    const ratings = Object.entries(this.ranges).filter(([task]) => task in segment).map(([task, range]) => sayValue(task, segment[task], range));
    const said = [...tasks.map(task => say(segment[task])), ...ratings].join(", ");
    const swatch = tasks.length ? make("span", { class: "swatch" }) : null;
    if (swatch) swatch.style.background = colourOf(segment[tasks[0]].label, Object.keys(segment[tasks[0]].probabilities));
    const words = segment.text ? make("span", { class: "soft" }, ` “${segment.text}”`) : null;
    return make("li", { class: final ? null : "partial" }, make("span", {}, `${clock(segment.start)} – ${clock(segment.end)}`), make("span", {}, swatch, `${said}${final ? "" : " …"}`, words));
  }

  /** Let the service answer what it has heard; its end closes the socket. */
  stop() {
    this.over = true;
    this.microphone?.stop();
    find("live-state").textContent = "Waiting for the last answers …";
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "end" }));
    else this.close("");
  }

  close(sentence = "") {
    if (!this.ended) return;
    const ended = this.ended;
    this.ended = /** @type {any} */ (null);
    this.microphone?.stop();
    this.socket?.close(1000);
    ended(sentence);
  }
}
