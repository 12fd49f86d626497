/** The microphone as blocks of samples, and the webcam as a film. */

export class Microphone {
  /** @param {(block: Float32Array) => void} heard at the device's own rate: not every browser gives another */
  constructor(heard) {
    this.heard = heard;
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      // what cleans a voice for a telephone changes how it sounds to a model
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    this.context = new AudioContext();
    await this.context.audioWorklet.addModule("page/js/pcm-worklet.js");
    const node = new AudioWorkletNode(this.context, "samples");
    node.port.onmessage = event => this.heard(event.data);
    this.context.createMediaStreamSource(this.stream).connect(node);
  }

  /** Hz */
  get rate() {
    return this.context ? this.context.sampleRate : 0;
  }

  async stop() {
    this.stream?.getTracks().forEach(track => track.stop());
    const context = this.context;
    this.context = undefined; // it can be closed once only
    await context?.close();
  }
}

export class Webcam {
  /** @param {HTMLVideoElement} mirror shows what it sees */
  constructor(mirror) {
    this.mirror = mirror;
    /** @type {Blob[]} */
    this.parts = [];
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
    this.mirror.srcObject = this.stream;
    this.mirror.hidden = false;
    await this.mirror.play();
    this.recorder = new MediaRecorder(this.stream);
    this.recorder.addEventListener("dataavailable", event => this.parts.push(event.data));
    this.recorder.start();
  }

  /** @returns {Promise<File>} */
  async stop() {
    const recorder = /** @type {MediaRecorder} */ (this.recorder);
    await new Promise(resolve => {
      recorder.addEventListener("stop", resolve, { once: true });
      recorder.stop();
    });
    this.stream?.getTracks().forEach(track => track.stop());
    this.mirror.srcObject = null;
    this.mirror.hidden = true;
    return new File(this.parts, "recording.webm", { type: recorder.mimeType });
  }
}

/** Loudest sample, as a share of the meter: speech at a usual distance fills half of it. @param {Float32Array} block */
export function levelOf(block) {
  let peak = 0;
  for (const sample of block) peak = Math.max(peak, Math.abs(sample));
  return Math.min(1, Math.sqrt(peak));
}

/** Why a device was not opened, in a sentence. @param {any} error @param {string} device @param {string} [instead] */
export function deviceProblem(error, device, instead = "choose a file") {
  if (!navigator.mediaDevices) return `The browser gives pages the ${device} over https or on this machine alone.`;
  if (error.name === "NotAllowedError") return `The browser was not allowed to use the ${device}; allow it in its settings for this page, or ${instead}.`;
  if (error.name === "NotFoundError") return `The browser has found no ${device}; connect one, or ${instead}.`;
  return `The ${device} cannot be opened (${error.message || error.name}).`;
}
