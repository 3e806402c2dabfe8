/** Speaks to the server: JSON, files, uploads with progress, events. Errors are `ApiFailure`. */

import { signal } from "./vendor/signals-core.js";

/** An answer that is an error, or none at all (status 0). */
export class ApiFailure extends Error {
  /**
   * @param {number} status HTTP status; 0 where the server could not be reached or the connection was lost.
   * @param {string} code The API's code, "unreachable" for status 0.
   * @param {string} message In the server's words.
   * @param {{requestId?: string | null, retryAfterS?: number | null, param?: string | null}} [more]
   */
  constructor(status, code, message, more = {}) {
    super(message);
    this.name = "ApiFailure";
    this.status = status;
    this.code = code;
    this.requestId = more.requestId ?? null;
    /** Seconds after which the server asks to be tried again. */
    this.retryAfterS = more.retryAfterS ?? null;
    this.param = more.param ?? null;
  }
}

/** Set when the server asks for a key that the page does not have; the dialog for it takes over. */
export const keyWanted = signal(false);

/** A browser opens six connections to a server. Streams leave two of them free. */
const MOST_STREAMS = 4;
let streams = 0;
/** @type {(() => void)[]} */
const waiting = [];

/**
 * @param {Response} answer
 * @returns {Promise<ApiFailure>}
 */
async function failureOf(answer) {
  /** @type {any} */
  let body = null;
  try {
    body = await answer.json();
  } catch {
    // not ours: a proxy's page, or nothing
  }
  return made(answer.status, answer.statusText, body, answer.headers.get("Retry-After"));
}

/**
 * @param {number} status
 * @param {string} words
 * @param {any} body
 * @param {string | null} retryAfter
 * @returns {ApiFailure}
 */
function made(status, words, body, retryAfter) {
  if (status === 401) keyWanted.value = true;
  const error = body?.error ?? {};
  return new ApiFailure(status, error.code ?? `http_${status}`, error.message ?? `${status} ${words}`.trim(), {
    requestId: body?.request_id ?? null,
    retryAfterS: retryAfter === null ? null : Number(retryAfter),
    param: error.param ?? null,
  });
}

/**
 * @param {unknown} error What `fetch` threw.
 * @returns {never}
 */
function lost(error) {
  if (error instanceof ApiFailure) throw error;
  if (error instanceof DOMException && error.name === "AbortError") throw error;
  throw new ApiFailure(0, "unreachable", error instanceof Error ? error.message : String(error));
}

/**
 * Send a request and return its answer, which is no error.
 *
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, accept?: string, signal?: AbortSignal}} [how]
 * @returns {Promise<Response>}
 */
export async function send(method, path, { json, accept, signal: ends } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (accept) headers["Accept"] = accept;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const body = json === undefined ? undefined : JSON.stringify(json);
  const answer = await fetch(path, { method, headers, body, signal: ends }).catch(lost);
  if (!answer.ok) throw await failureOf(answer);
  return answer;
}

/**
 * Send a request and return the JSON of its answer.
 *
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, signal?: AbortSignal}} [how]
 * @returns {Promise<any>}
 */
export async function call(method, path, how) {
  const answer = await send(method, path, how);
  return answer.status === 204 ? null : answer.json().catch(lost);
}

/**
 * Send a file and return the JSON of the answer. `fetch` does not tell how much was sent, so this is an XMLHttpRequest.
 *
 * @param {string} path
 * @param {Blob} file
 * @param {{onSent?: (share: number) => void, signal?: AbortSignal, onOpen?: (requestId: string | null) => void}} [how]
 * @returns {Promise<any>}
 */
export function upload(path, file, { onSent, signal: ends, onOpen } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", file.type.startsWith("image/") ? file.type : "image/unknown");
    request.upload.onprogress = ({ loaded, total }) => onSent?.(total ? loaded / total : 0);
    request.onerror = () => reject(new ApiFailure(0, "unreachable", "the connection was lost"));
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.onload = () => {
      onOpen?.(request.getResponseHeader("X-Request-Id"));
      if (request.status >= 200 && request.status < 300) resolve(request.response);
      else reject(made(request.status, request.statusText, request.response, request.getResponseHeader("Retry-After")));
    };
    ends?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

/**
 * Yield the server-sent events of an answer, the last of which is "done". At most four such streams are open; more wait
 * for their turn. A stream that ends without "done" is a lost connection.
 *
 * @param {string} method
 * @param {string} path
 * @param {{json?: unknown, signal?: AbortSignal, onOpen?: (requestId: string | null) => void}} [how]
 * @returns {AsyncGenerator<{event: string, data: any}>}
 */
export async function* events(method, path, { json, signal: ends, onOpen } = {}) {
  await turn(ends);
  try {
    const answer = await send(method, path, { json, accept: "text/event-stream", signal: ends });
    onOpen?.(answer.headers.get("X-Request-Id"));
    if (!answer.body) throw new ApiFailure(0, "unreachable", "the answer has no body");
    let last = "";
    for await (const found of parsed(answer.body.pipeThrough(new TextDecoderStream()).getReader())) {
      last = found.event;
      yield found;
    }
    if (last !== "done") throw new ApiFailure(0, "unreachable", "the connection was lost");
  } catch (error) {
    lost(error);
  } finally {
    streams -= 1;
    waiting.shift()?.();
  }
}

/** @param {AbortSignal | undefined} ends */
async function turn(ends) {
  if (streams >= MOST_STREAMS) {
    await new Promise((resolve, reject) => {
      const begin = () => resolve(null);
      waiting.push(begin);
      ends?.addEventListener("abort", () => {
        const place = waiting.indexOf(begin);
        if (place >= 0) waiting.splice(place, 1);
        reject(ends.reason);
      });
    });
  }
  if (ends?.aborted) {
    waiting.shift()?.();
    throw ends.reason;
  }
  streams += 1;
}

/** @param {ReadableStreamDefaultReader<string>} reader */
async function* parsed(reader) {
  let buffer = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      buffer += value;
      const blocks = buffer.split("\n\n");
      buffer = blocks.pop() ?? "";
      for (const block of blocks) {
        const found = eventOf(block);
        if (found) yield found;
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // hangs up, which ends the work
  }
}

/**
 * @param {string} block
 * @returns {{event: string, data: any} | null} null for a comment
 */
function eventOf(block) {
  let event = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}
