/** The third tab: what the microphone hears and the camera sees goes to the service at once, segments come back. */

import { subprotocols } from "./api.js";
import { Camera } from "./camera.js";
import { clock, fill, find, make } from "./dom.js";
import { colourOf, say, sayValue } from "./looks.js";
import { deviceProblem, levelOf, Microphone } from "./microphone.js";
import { pcm } from "./wav.js";

const MOST = 500; // segments that stay on the page
const PICTURES = 15; // a second, at most: more would be megabytes

/** @param {any[]} models */
export function setUpLive(models) {
  fill(find("live-model"), ...models.map(one => make("option", { value: one.name }, one.name)));
  const chosen = () => models.find(one => one.name === find("live-model").value) || models[0];
  const button = find("live-go");
  const camera = find("live-camera");
  /** @type {Live | null} */
  let live = null;
  const name = () => (live ? "Stop" : camera.checked ? "Listen and watch" : "Listen to the microphone");
  const show = () => {
    const { name: model, pictures, modalities } = chosen();
    const sees = Object.values(modalities).includes("video");
    const without = `${model} reads pictures too, and answers without them here; record the webcam under Try for an answer with both.`;
    find("live-camera-field").hidden = !pictures;
    if (!pictures) camera.checked = false;
    else if (Object.values(modalities).every(kind => kind === "video")) camera.checked = true;
    find("live-reads").textContent = pictures ? `${model} reads the face too, where the camera is used.` : `Live uses sound alone, no camera.${sees ? ` ${without}` : ""}`;
    find("live-warning").textContent = "";
    button.textContent = name();
  };
  find("live-model").addEventListener("change", show);
  camera.addEventListener("change", show);
  show();
  const began = (/** @type {boolean} */ running) => {
    button.setAttribute("aria-pressed", String(running));
    button.textContent = name();
    for (const id of ["live-camera", "live-model"]) find(id).disabled = running;
  };
  const ended = (/** @type {string} */ sentence) => {
    live = null;
    began(false);
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
    live = new Live(chosen(), camera.checked, ended);
    began(true);
    await live.start();
  });
}

class Live {
  /** @param {any} model @param {boolean} watches @param {(sentence: string) => void} ended */
  constructor(model, watches, ended) {
    this.model = model;
    this.ranges = model.ranges;
    this.ended = ended;
    this.list = find("live-segments");
    /** @type {Element[]} */
    this.open = []; // the lines of segments that may change
    this.over = false;
    this.samples = 0; // that were sent
    this.heardAt = 0; // milliseconds, the last of them
    this.shownAt = -1; // second of the last picture
    this.camera = watches ? new Camera(find("live-preview"), () => this.blind("The camera is gone; the answers go on without it.")) : null;
  }

  /** Never fails: what is wrong ends it. */
  async start() {
    fill(this.list);
    find("live-warning").textContent = "";
    find("live-face").textContent = "";
    const camera = this.camera;
    try {
      await camera?.start();
    } catch (error) {
      return this.close(deviceProblem(error, "camera", "leave it out here"));
    }
    if (!this.ended) return camera?.stop(); // stopped meanwhile
    find("live-seen").hidden = !camera;
    this.microphone = new Microphone(block => this.send(block));
    try {
      await this.microphone.start();
    } catch (error) {
      return this.close(deviceProblem(error, "microphone"));
    }
    if (!this.ended) return this.microphone.stop();
    const asked = new URLSearchParams({ model: this.model.name, rate: String(Math.round(this.microphone.rate)), format: "s16le", pictures: String(!!this.camera) });
    const address = new URL(`v1/stream?${asked}`, document.baseURI);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(address, subprotocols());
    this.socket.binaryType = "arraybuffer";
    this.socket.addEventListener("open", () => this.opened());
    this.socket.addEventListener("message", event => this.heard(JSON.parse(event.data)));
    this.socket.addEventListener("close", event => this.close(event.code === 1000 || this.over ? "" : event.reason || "The service ended the stream."));
    return undefined;
  }

  opened() {
    find("live-state").textContent = this.camera ? "Listening and watching." : "Listening.";
    if (this.camera) this.showing = setInterval(() => this.show(), 1000 / Math.min(PICTURES, this.model.pictures));
  }

  get sends() {
    return this.socket?.readyState === WebSocket.OPEN && !this.over;
  }

  /** @param {Float32Array} block */
  send(block) {
    find("live-level").value = levelOf(block);
    if (!this.sends) return;
    this.socket?.send(Int16Array.from(block, pcm).buffer);
    this.samples += block.length;
    this.heardAt = performance.now();
  }

  /** A picture, at its second of the sound. */
  async show() {
    if (!this.samples || !this.camera || !this.sends) return;
    const second = this.samples / (this.microphone?.rate || 1) + (performance.now() - this.heardAt) / 1000;
    const jpeg = await this.camera.picture();
    if (!jpeg || !this.sends || second <= this.shownAt) return;
    this.shownAt = second;
    this.socket?.send(JSON.stringify({ type: "picture", seconds: second }));
    this.socket?.send(jpeg);
  }

  /** @param {any} message */
  heard(message) {
    if (message.type === "problem") return this.close(message.detail);
    if (message.type === "end") return this.close("");
    if (message.type === "ready") find("live-warning").textContent = message.warning;
    if (message.type === "faces") return this.seen(Object.values(message.squares)[0]);
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

  /** Where the face is that was read last. @param {any} square */
  seen(square) {
    if (!this.camera) return;
    const place = find("live-square");
    place.hidden = !square;
    if (square) {
      for (const side of ["left", "top"]) place.style[side] = `${100 * square[side]}%`;
      place.style.width = `${100 * (square.right - square.left)}%`;
      place.style.height = `${100 * (square.bottom - square.top)}%`;
    }
    this.tellFace(square ? "The model reads the face in the square." : "No face is seen; the answers are without it.");
  }

  /** A screen reader says it when it changes. @param {string} sentence */
  tellFace(sentence) {
    if (find("live-face").textContent !== sentence) find("live-face").textContent = sentence;
  }

  /** No more pictures. @param {string} sentence */
  blind(sentence) {
    clearInterval(this.showing);
    this.camera?.stop();
    this.camera = null;
    find("live-seen").hidden = true;
    find("live-square").hidden = true;
    this.tellFace(sentence);
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
    this.blind("");
    find("live-state").textContent = "Waiting for the last answers …";
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "end" }));
    else this.close("");
  }

  close(sentence = "") {
    if (!this.ended) return;
    const ended = this.ended;
    this.ended = /** @type {any} */ (null);
    this.microphone?.stop();
    this.blind("");
    this.socket?.close(1000);
    ended(sentence);
  }
}
