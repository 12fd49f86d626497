/** Samples as a WAV file: 16 bits, mono. */

/** @param {Float32Array[]} blocks @param {number} rate @returns {Blob} */
export function wavOf(blocks, rate) {
  const count = blocks.reduce((sum, block) => sum + block.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const write = (/** @type {number} */ at, /** @type {string} */ text) =>
    [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  write(0, "RIFF");
  view.setUint32(4, 36 + 2 * count, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const block of blocks) for (const sample of block) view.setInt16((at += 2) - 2, pcm(sample), true);
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** @param {number} sample -1 to 1 @returns {number} -32768 to 32767 */
export function pcm(sample) {
  return Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
}
