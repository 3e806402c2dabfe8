/** A batch at the server: files are sent as it takes them, and each image that is finished is told to its row. */

import { ApiFailure, call, events, upload } from "./api.js";
import { batch, computed, signal } from "./vendor/signals-core.js";
import { UNSENT, changeRow } from "./folder-rows.js";

/** @typedef {import("./folder-rows.js").Row} Row */
/** @typedef {"idle" | "running" | "stopping" | "stopped" | "done" | "failed"} Phase */

/** The images, in their order. */
export const rows = signal(/** @type {Row[]} */ ([]));

/** How far the batch is. */
export const phase = signal(/** @type {Phase} */ ("idle"));

/** What ended the batch. */
export const failure = signal(/** @type {ApiFailure | null} */ (null));

/** Why nothing is sent for the moment; it goes on by itself. */
export const pause = signal(/** @type {"full" | "lost" | null} */ (null));

/** Id of the batch at the server; null before it was begun. */
export const batchId = signal(/** @type {string | null} */ (null));

/** What is asked of every image. */
export const question = signal(/** @type {import("./store.js").Question | null} */ (null));

export const counts = computed(() => {
  const found = { all: rows.value.length, sent: 0, done: 0, failed: 0, retryable: 0 };
  for (const row of rows.value) {
    const { state, index, retryable } = row.facts.value;
    if (index !== null) found.sent += 1;
    if (retryable) found.retryable += 1;
    if (state === "done") found.done += 1;
    if (state === "failed") found.failed += 1;
  }
  return found;
});

/** Seconds until all are finished, from what the last ones took; null where that is not known. */
export const leftS = computed(() => {
  const { all, done, failed } = counts.value;
  const last = recent.value;
  return last.length ? ((all - done - failed) * last.reduce((sum, s) => sum + s, 0)) / last.length : null;
});

const TIMED = 20;
const AGAIN_S = 3;
const SENDERS = 2;

/** Codes of what passes by itself. */
const PASSING = ["queue_full", "loading", "draining"];

/** What the last images took, in seconds. */
const recent = signal(/** @type {number[]} */ ([]));

/** @type {Map<number, Row>} By their place in the batch. */
const byIndex = new Map();
/** @type {Map<number, any>} What was told of images before the answer to sending them was there. */
const early = new Map();
let told = 0;
let ends = new AbortController();

/** @param {Row[]} fresh Replace the rows, while nothing runs. */
export function replaceRows(fresh) {
  for (const row of rows.value) if (!fresh.includes(row)) row.end();
  batch(() => {
    rows.value = fresh;
    phase.value = "idle";
    failure.value = pause.value = batchId.value = question.value = null;
    recent.value = [];
  });
  byIndex.clear();
  early.clear();
  told = 0;
}

/**
 * Begin a batch with the rows that are there.
 *
 * @param {import("./store.js").Question} asked
 * @param {{drawings: boolean, arrays: boolean}} extras What the archive has beside the results.
 */
export async function begin(asked, extras) {
  replaceRows(rows.value);
  for (const row of rows.value) changeRow(row, UNSENT);
  question.value = asked;
  phase.value = "running";
  ends = new AbortController();
  const json = { tasks: [{ task: asked.task, ...asked.args }], options: { scores: true, ...asked.options }, ...extras };
  await ending(async () => {
    batchId.value = (await patiently(() => call("POST", "/v1/batches", { json }))).id;
    await work();
  });
}

/**
 * Show a batch that the server has and this page does not. It takes no more images then.
 *
 * @param {any} form
 * @param {(name: string) => Row} make
 */
export async function attach(form, make) {
  if (form.state === "open") await call("POST", `/v1/batches/${form.id}`, { json: { action: "end" } });
  const known = await call("GET", `/v1/batches/${form.id}`);
  replaceRows(known.images.map((/** @type {any} */ { name }) => make(name)));
  const [{ task, ...args }] = known.tasks;
  question.value = { task, args, options: {} };
  batchId.value = known.id;
  phase.value = "running";
  ends = new AbortController();
  rows.value.forEach((row, index) => byIndex.set(index, row));
  await ending(async () => {
    tellAll(known.images);
    await watch();
  });
}

/** Ask again the images that failed, or what a stop left. */
export async function resume() {
  phase.value = "running";
  failure.value = null;
  ends = new AbortController();
  await ending(async () => {
    await patiently(() => act("retry"));
    tellAll((await call("GET", `/v1/batches/${batchId.value}`)).images);
    await work();
  });
}

/** End the work; what is finished stays. */
export async function stop() {
  phase.value = "stopping";
  ends.abort();
  if (batchId.value) await act("stop").catch((error) => fail(error));
  for (const row of rows.value) {
    const { state, index } = row.facts.value;
    if (state === "sending" || state === "running") changeRow(row, { state: index === null ? "here" : "waiting" });
  }
  if (phase.value === "stopping") phase.value = batchId.value ? "stopped" : "idle";
}

/** @param {"end" | "stop" | "retry"} action */
const act = (action) => call("POST", `/v1/batches/${batchId.value}`, { json: { action } });

/** Send what was not sent, and hear of all that is finished, until the server has ended the batch. */
async function work() {
  await Promise.all([sendAll(), watch()]);
}

/** @param {() => Promise<void>} doing */
async function ending(doing) {
  const own = ends;
  try {
    await doing();
  } catch (error) {
    if (own.signal.aborted) return; // it was stopped, or has failed already
    own.abort();
    fail(error);
  }
}

/** @param {unknown} error */
function fail(error) {
  if (!(error instanceof ApiFailure)) throw error;
  batch(() => {
    failure.value = error;
    pause.value = null;
    phase.value = "failed";
  });
}

async function sendAll() {
  const left = rows.value.filter((row) => row.file && row.facts.value.index === null && row.facts.value.state !== "failed");
  const sender = async () => {
    for (let row = left.shift(); row; row = left.shift()) if (!(await isTaken(row))) return;
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  if (rows.value.every(({ facts: { value } }) => value.index !== null || value.state === "failed")) await patiently(() => act("end"));
}

/**
 * Send a file.
 *
 * @param {Row} row
 * @returns {Promise<boolean>} Whether the batch takes images at all: one that has ended does not, and `watch` hears why.
 */
async function isTaken(row) {
  const file = /** @type {File} */ (row.file);
  changeRow(row, { state: "sending" });
  const path = `/v1/batches/${batchId.value}/images?name=${encodeURIComponent(row.name)}`;
  try {
    const { index } = await patiently(() => upload(path, file, { signal: ends.signal }));
    byIndex.set(index, row);
    changeRow(row, { index, state: "waiting" });
    const known = early.get(index);
    if (known) tell(known);
  } catch (error) {
    if (!(error instanceof ApiFailure) || ![400, 413, 415].includes(error.status)) throw error;
    const isOfImage = error.status !== 400 || error.param !== null;
    changeRow(row, isOfImage ? { state: "failed", error: error.message } : { state: "here" });
    return isOfImage;
  }
  return true;
}

async function watch() {
  for (;;) {
    try {
      for await (const { event, data } of events("GET", `/v1/batches/${batchId.value}/events?from=${told}`, { signal: ends.signal })) {
        pause.value = pause.value === "lost" ? null : pause.value;
        if (event === "image") {
          told += 1;
          tell(data);
        } else if (event === "progress") progress(data);
      }
      return;
    } catch (error) {
      if (!(error instanceof ApiFailure) || error.status !== 0) throw error;
      pause.value = "lost";
      await sleep(AGAIN_S);
    }
  }
}

/** @param {any} form Of an image, as the server tells it. */
function tell(form) {
  const row = byIndex.get(form.index);
  if (!row) {
    early.set(form.index, form);
    return;
  }
  const error = form.error && !form.answers.length ? form.error.message : null;
  changeRow(row, { state: form.state, index: form.index, answers: form.answers, error, retryable: form.retryable, seconds: form.seconds, size: form.size });
  if (form.state === "done") recent.value = [...recent.value, form.seconds].slice(-TIMED);
}

/** @param {any[]} forms */
function tellAll(forms) {
  batch(() => forms.forEach(tell));
}

/** @param {any} form Of the batch. */
function progress(form) {
  batch(() => {
    for (const row of byIndex.values()) {
      const { state, index } = row.facts.value;
      if (state === "running" && index !== form.running) changeRow(row, { state: "waiting" });
      if (index === form.running && state === "waiting") changeRow(row, { state: "running" });
    }
    if (form.state === "done") phase.value = "done";
    if (form.state === "stopped") phase.value = "stopped";
    if (form.state === "failed") {
      phase.value = "failed";
      failure.value = new ApiFailure(500, form.error.code, form.error.message);
    }
  });
  if (phase.value === "stopped" || phase.value === "failed") ends.abort();
}

/**
 * Return what `doing` returns, tried again where the server has no room for the moment, or cannot be reached.
 *
 * @template T
 * @param {() => Promise<T>} doing
 * @returns {Promise<T>}
 */
async function patiently(doing) {
  for (;;) {
    try {
      const found = await doing();
      pause.value = null;
      return found;
    } catch (error) {
      const isFull = error instanceof ApiFailure && PASSING.includes(error.code);
      if (!isFull && !(error instanceof ApiFailure && error.status === 0)) throw error;
      pause.value = isFull ? "full" : "lost";
      await sleep(error.retryAfterS ?? AGAIN_S);
    }
  }
}

/** @param {number} seconds */
function sleep(seconds) {
  return new Promise((resolve, reject) => {
    const refuse = () => (clearTimeout(timer), reject(ends.signal.reason));
    const timer = setTimeout(() => (ends.signal.removeEventListener("abort", refuse), resolve(null)), seconds * 1000);
    ends.signal.addEventListener("abort", refuse, { once: true });
  });
}
