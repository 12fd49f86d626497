/** The service: requests with the token, uploads with their progress, events of a job. */

import { askToken } from "./token.js";

const TRIES = 5; // to follow a job whose events end before it does
const OVER = ["done", "failed", "cancelled"];

let token = "";

/** What the service says is wrong, in its own sentence. */
export class Problem extends Error {
  /** @param {number} status @param {string} detail */
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** @returns {Record<string, string>} */
function headers() {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** Subprotocols of the WebSocket: a browser can send its token in no other way. @returns {string[]} */
export function subprotocols() {
  return token ? ["affuse", `bearer.${token}`] : ["affuse"];
}

/**
 * @param {string} path relative to the page, so that it works behind a proxy's path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function request(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: { ...headers(), ...(options.headers || {}) } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "The service cannot be reached; is it still running?");
  }
  if (answer.status === 401) {
    token = await askToken(token !== "");
    if (token) return request(path, options);
  }
  if (!answer.ok) throw await problemOf(answer.status, await answer.text());
  return answer;
}

/** @param {string} path @returns {Promise<any>} */
export async function getJson(path) {
  return (await request(path)).json();
}

/** Stop a job's work and let its answer go: at once, and also while the page is being left. @param {string} id */
export function forget(id) {
  request(`v1/jobs/${id}`, { method: "DELETE", keepalive: true }).catch(() => {});
}

/**
 * Send a form as a job; fetch does not tell how much was sent, this does.
 * @param {string} path @param {FormData} form @param {(share: number) => void} sent @param {AbortSignal} signal
 * @returns {Promise<any>}
 */
export function upload(path, form, sent, signal) {
  return new Promise((resolve, reject) => {
    const cancelled = () => reject(new DOMException("cancelled", "AbortError"));
    if (signal.aborted) return cancelled();
    const sending = new XMLHttpRequest();
    let whole = false; // once it was sent whole the service makes a job of it, which only its id can stop
    sending.open("POST", path);
    for (const [name, value] of Object.entries(headers())) sending.setRequestHeader(name, value);
    sending.upload.addEventListener("progress", event => event.lengthComputable && sent(event.loaded / event.total));
    sending.upload.addEventListener("load", () => (whole = true));
    sending.addEventListener("load", async () => {
      if (signal.aborted) return sending.status === 202 && forget(JSON.parse(sending.responseText).id);
      if (sending.status === 401 && (token = await askToken(token !== ""))) resolve(upload(path, form, sent, signal));
      else if (sending.status >= 400) reject(await problemOf(sending.status, sending.responseText));
      else resolve(JSON.parse(sending.responseText));
    });
    sending.addEventListener("error", () => reject(new Problem(0, "The upload did not reach the service; the clip may be too large for it.")));
    sending.addEventListener("abort", cancelled);
    signal.addEventListener("abort", () => (whole ? cancelled() : sending.abort()));
    sending.send(form);
  });
}

/**
 * Follow a job until it is over, through lost connections. EventSource could not send the token.
 * @param {string} id @param {(job: any) => void} changed @param {AbortSignal} signal
 * @returns {Promise<any>} the job when it is over
 */
export async function follow(id, changed, signal) {
  for (let tries = 0; tries < TRIES; tries++) {
    let last = null;
    try {
      await events(id, job => changed((last = job)), signal);
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status)) throw error;
    }
    if (last && OVER.includes(/** @type {any} */ (last).state)) return last;
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
  throw new Problem(0, "The connection to the service is lost again and again; try it once more.");
}

/** @param {string} id @param {(job: any) => void} changed @param {AbortSignal} signal */
async function events(id, changed, signal) {
  const answer = await request(`v1/jobs/${id}/events`, { signal });
  const reader = /** @type {ReadableStream} */ (answer.body).pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held += value;
    const parts = held.split("\n\n");
    held = /** @type {string} */ (parts.pop());
    for (const event of parts) {
      const data = event.split("\n").find(line => line.startsWith("data: "));
      if (data) changed(JSON.parse(data.slice(6)));
    }
  }
}

/** @param {number} status @param {string} body */
async function problemOf(status, body) {
  try {
    return new Problem(status, JSON.parse(body).detail);
  } catch {
    return new Problem(status, `The service answered with status ${status}.`);
  }
}
