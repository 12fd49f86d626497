/** Runs beside the sound: hands the microphone's samples to the page in blocks of about 40 ms. */
class Samples extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.round(sampleRate * 0.04);
    this.held = new Float32Array(this.size);
    this.count = 0;
  }

  process(inputs) {
    const channels = inputs[0];
    if (channels.length) {
      for (let i = 0; i < channels[0].length; i++) {
        let sum = 0;
        for (const channel of channels) sum += channel[i];
        this.held[this.count++] = sum / channels.length;
        if (this.count === this.size) {
          this.port.postMessage(this.held.slice());
          this.count = 0;
        }
      }
    }
    return true;
  }
}
registerProcessor("samples", Samples);
