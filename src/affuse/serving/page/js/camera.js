/** The camera beside the microphone: a preview, the face that was found, and pictures as JPEG. */

const WIDTH = 640; // pixels; faces are read from 48 on
const QUALITY = 0.85;

export class Camera {
  /**
   * @param {HTMLVideoElement} preview shows what it sees
   * @param {() => void} lost called where it is taken away or ends
   */
  constructor(preview, lost) {
    this.preview = preview;
    this.lost = lost;
    this.busy = false;
    this.canvas = document.createElement("canvas");
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDTH }, height: { ideal: 480 }, frameRate: { ideal: 30 } } });
    this.stream.getVideoTracks()[0].addEventListener("ended", () => this.lost());
    this.preview.srcObject = this.stream;
    await this.preview.play();
  }

  /**
   * The picture of this moment; null where it has none yet, or the one before is not done.
   * @returns {Promise<ArrayBuffer | null>}
   */
  async picture() {
    const { videoWidth, videoHeight } = this.preview;
    if (!this.stream || this.busy || !videoWidth) return null;
    this.busy = true;
    const scale = Math.min(1, WIDTH / videoWidth);
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d")?.drawImage(this.preview, 0, 0, this.canvas.width, this.canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise(resolve => this.canvas.toBlob(resolve, "image/jpeg", QUALITY));
    this.busy = false;
    return blob ? blob.arrayBuffer() : null;
  }

  stop() {
    this.stream?.getTracks().forEach(track => track.stop()); // which is no "ended"
    this.stream = undefined;
    this.preview.srcObject = null;
  }
}
