/** Asks the server: each question has a card, and is answered in a stream beside the others. */

import { ApiFailure, events } from "./api.js";
import { remember } from "./history.js";
import { addLayer, dropLayers } from "./layers.js";
import { ensureImage } from "./start.js";
import { cards, changeCard, isNano, newKey, picture } from "./store.js";
import { effect, signal } from "./vendor/signals-core.js";

export { TASK_FORMS } from "./forms.js";

/** The time in milliseconds, twice a second while something is asked. */
export const now = signal(Date.now());

/** Seconds until the next attempt where the server does not say how long to wait. */
const RETRY_S = 5;

/** Short side of the crops that nano sees masks in best, in pixels. */
const NANO_CROP = 224;

/** @type {Map<string, AbortController>} What ends the questions in progress, by card. */
const running = new Map();

/** A card that is asked, for the first time or again: what was written before stays until there is something else. */
const ASKED = { position: null, etaS: null, progress: null, failure: null, requestId: null, retryAt: null, ended: null };

/** Whether a card still waits for its answer. @param {import("./store.js").Card} card */
export const isRunning = (card) => !["done", "failed", "stopped"].includes(card.stage);

/**
 * Ask something about the present picture. The answer comes while other questions are answered.
 *
 * @param {{task: string, args?: Record<string, unknown>, options?: Record<string, unknown>}} question
 * @returns {string} Key of its card.
 */
export function ask({ task, args = {}, options = {} }) {
  const key = newKey();
  const question = { task, args: { ...fitting(task), ...args }, options };
  cards.value = [
    { ...ASKED, key, question, image: picture.value?.id ?? null, stage: "waiting", text: "", result: null, began: Date.now() },
    ...cards.value,
  ];
  void run(key);
  return key;
}

/**
 * @param {string} task
 * @returns {Record<string, unknown>} Arguments that the model needs to see well: nano was trained on small crops.
 */
export function fitting(task) {
  return isNano.value && ["refer", "instances"].includes(task) ? { crop_size: NANO_CROP } : {};
}

/** End a question; what was written stays. @param {string} key */
export function stop(key) {
  running.get(key)?.abort();
}

/** Ask the question of a card once more, in the same card. @param {string} key */
export function askAgain(key) {
  stop(key);
  changeCard(key, { ...ASKED, stage: "waiting", began: Date.now() });
  void run(key);
}

/** Remove a card and what is drawn of it. @param {string} key */
export function removeCard(key) {
  dropLayers(key);
  cards.value = cards.value.filter((card) => card.key !== key);
}

/** @param {string} key */
const cardOf = (key) => cards.value.find((card) => card.key === key);

/** @param {string} key */
async function run(key) {
  const ends = new AbortController();
  running.set(key, ends);
  tick();
  /** @param {Partial<import("./store.js").Card>} patch */
  const end = (patch) => {
    if (running.get(key) !== ends) return; // asked again meanwhile
    running.delete(key);
    changeCard(key, { ...patch, progress: null, position: null, etaS: null, retryAt: null, ended: Date.now() });
    remember();
  };
  try {
    await answer(key, ends.signal);
    const card = cardOf(key);
    if (card) await addLayer(card);
    end({ stage: "done" });
  } catch (error) {
    if (ends.signal.aborted) end({ stage: "stopped" });
    else if (error instanceof ApiFailure) end({ stage: "failed", failure: error });
    else {
      end({ stage: "failed", failure: new ApiFailure(-1, "page", String(error)) });
      throw error;
    }
  }
}

/**
 * Ask until there is an answer: a picture that the server has forgotten is sent again once, and a full queue or a model
 * that loads is waited for.
 *
 * @param {string} key
 * @param {AbortSignal} signal
 */
async function answer(key, signal) {
  let image = await unlessAborted(ensureImage(), signal);
  let wasSentAgain = false;
  for (;;) {
    try {
      return await stream(key, image, signal);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      if (error.code === "image_not_found" && !wasSentAgain) {
        wasSentAgain = true;
        changeCard(key, { ...ASKED, stage: "waiting" });
        image = await unlessAborted(sentAgain(), signal);
      } else if (error.status === 429 || error.code === "loading") {
        const waitS = error.retryAfterS ?? RETRY_S;
        changeCard(key, { stage: "waiting", failure: error, retryAt: Date.now() + waitS * 1000 });
        tick();
        await pause(waitS, signal);
      } else throw error;
    }
  }
}

/** @type {Promise<string> | null} */
let sending = null;

/** @returns {Promise<string>} The picture's id, once it was sent again: one time for all questions that need it. */
function sentAgain() {
  const begun = sending ?? ensureImage({ again: true }).finally(() => (sending = null));
  sending = begun;
  return begun;
}

/**
 * @param {string} key
 * @param {string} image
 * @param {AbortSignal} signal
 */
async function stream(key, image, signal) {
  const card = cardOf(key);
  if (!card) return;
  const { task, args, options } = card.question;
  const json = {
    image,
    tasks: [{ task, ...args }],
    options: { scores: true, ...options },
    output: { masks: "rle" },
    stream: true,
  };
  changeCard(key, { ...ASKED, image, stage: "queued" });
  /** @type {ApiFailure | null} */
  let failure = null;
  let text = "";
  let isAnswered = false;
  const onOpen = (/** @type {string | null} */ requestId) => changeCard(key, { requestId });
  for await (const { event, data } of events("POST", "/v1/tasks", { json, signal, onOpen })) {
    if (event === "error") failure = failureOf(data, cardOf(key)?.requestId ?? null);
    else if (event === "piece") changeCard(key, { stage: "writing", text: (text += data.text), result: null, position: null });
    else if (event !== "done") changeCard(key, patchOf(event, data, key));
    isAnswered ||= event === "result";
  }
  if (failure) throw failure;
  if (!isAnswered) throw new ApiFailure(0, "unreachable", "the answer has no result");
}

/**
 * @param {string} event
 * @param {any} data
 * @param {string} key
 * @returns {Partial<import("./store.js").Card>} What an event changes of the card.
 */
function patchOf(event, data, key) {
  const card = /** @type {import("./store.js").Card} */ (cardOf(key));
  switch (event) {
    case "queued":
      return { stage: "queued", position: data.position, etaS: data.eta_s };
    case "progress":
      return { ...stageOf(data.stage, card), progress: { stage: data.stage, done: data.done, total: data.total }, position: null };
    case "result":
      return { stage: "drawing", result: data, progress: null };
  }
  return {};
}

/**
 * @param {string} step What the server does.
 * @param {import("./store.js").Card} card
 * @returns {{stage: import("./store.js").Stage}}
 */
function stageOf(step, card) {
  if (step === "instances" || card.stage === "drawing") return { stage: "drawing" };
  return { stage: step === "generate" ? "writing" : "reading" };
}

/**
 * @param {any} data
 * @param {string | null} requestId
 */
function failureOf(data, requestId) {
  const { code = "internal", message = "", param = null } = data.error ?? {};
  return new ApiFailure(500, code, message, { requestId: data.request_id ?? requestId, param });
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function unlessAborted(promise, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/**
 * @param {number} seconds
 * @param {AbortSignal} signal
 */
function pause(seconds, signal) {
  return unlessAborted(new Promise((resolve) => setTimeout(resolve, seconds * 1000)), signal);
}

let clock = 0;

function tick() {
  now.value = Date.now();
  clearTimeout(clock);
  if (running.size) clock = window.setTimeout(tick, 500);
}

effect(() => {
  const kept = new Set(cards.value.map((card) => card.key));
  for (const [key, ends] of running) if (!kept.has(key)) ends.abort();
});
