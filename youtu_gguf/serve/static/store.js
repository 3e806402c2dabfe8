/**
 * What the panels share: the picture, the questions about it, and what is drawn. Coordinates are pixels of the upright
 * source image, as the API gives them: x to the right, y down, a pixel's area from x to x + 1.
 */

import { batch, computed, signal } from "./vendor/signals-core.js";

/** @typedef {"start" | "work" | "compare" | "history" | "folder" | "about"} Screen */

/**
 * @typedef {object} Reading How far the model is with reading a picture.
 * @property {string} stage
 * @property {number} done
 * @property {number} total
 * @property {number} elapsed_s
 * @property {number | null} left_s
 */

/**
 * @typedef {object} Picture
 * @property {string | null} id Its id at the server; null until it was sent.
 * @property {string} name File name, for titles and exports.
 * @property {Blob} file What was opened, kept to be sent again where the server has forgotten it.
 * @property {ImageBitmap | null} bitmap Its pixels upright, at full size or smaller; null until they are there.
 * @property {number} width Of the source, in pixels; 0 until known.
 * @property {number} height
 * @property {number | null} focalPx Focal length from its EXIF data.
 * @property {number} sent Share of its bytes that were sent, 0 to 1.
 * @property {"new" | "reading" | "ready"} state
 * @property {Reading | null} reading
 * @property {number | null} readS What reading it cost, in seconds.
 */

/**
 * @typedef {object} Question
 * @property {string} task A task of `GET /v1/info`.
 * @property {Record<string, unknown>} args Its arguments, as the API takes them.
 * @property {Record<string, unknown>} options Its options, as the API takes them.
 */

/**
 * @typedef {object} Issue A flaw of an answer; offsets count characters (code points) of `raw`.
 * @property {string} message
 * @property {number} start
 * @property {number} end
 */

/**
 * @typedef {Record<string, any> & {id: string, type: string, task: string, image: string, raw: string, finish: string,
 *   issues: Issue[], usage: Record<string, number>, timings: Record<string, number>}} Result The API's JSON of a value.
 */

/** @typedef {"waiting" | "queued" | "reading" | "writing" | "drawing" | "done" | "failed" | "stopped"} Stage */

/**
 * @typedef {object} Card A question and its answer.
 * @property {string} key
 * @property {Question} question
 * @property {string | null} image Id of the picture that it is about.
 * @property {Stage} stage
 * @property {string} text What the model has written so far.
 * @property {number | null} position Place in the server's queue.
 * @property {number | null} etaS Seconds until it is likely to begin.
 * @property {{stage: string, done: number, total: number} | null} progress
 * @property {Result | null} result
 * @property {import("./api.js").ApiFailure | null} failure What ended it, or what it waits for until `retryAt`.
 * @property {string | null} requestId
 * @property {number | null} retryAt When it is asked again by itself, in milliseconds as `Date.now()` gives them.
 * @property {number} began In milliseconds.
 * @property {number | null} ended
 */

/** @typedef {"boxes" | "polygons" | "poses" | "mask" | "instances" | "labels" | "depth" | "point"} LayerKind */

/**
 * @typedef {object} Layer What is drawn of a result.
 * @property {string} key
 * @property {string | null} card Key of the card that it is from; null for masks that were put together by hand.
 * @property {string} name
 * @property {LayerKind} kind
 * @property {boolean} visible
 * @property {number} opacity 0 to 1.
 * @property {string} colour As CSS writes it.
 * @property {Result} result
 */

/** @typedef {{x: number, y: number}} Point */
/** @typedef {{shift: boolean, alt: boolean}} Held Keys that are held during a gesture. */
/** @typedef {"pick" | "pan" | "measure"} Tool */

/** The screen that is shown. */
export const screen = signal(/** @type {Screen} */ ("start"));

/** The picture on the workbench. */
export const picture = signal(/** @type {Picture | null} */ (null));

/** Questions about it, the newest first. */
export const cards = signal(/** @type {Card[]} */ ([]));

/** What is drawn, from the bottom to the top. */
export const layers = signal(/** @type {Layer[]} */ ([]));

/** Key of the only layer that is drawn; null draws all that are visible. */
export const solo = signal(/** @type {string | null} */ (null));

/** Where the pointer or the crosshair is, in the picture; null outside. */
export const hover = signal(/** @type {Point | null} */ (null));

/** The item of a card that words and outline show as one. */
export const marked = signal(/** @type {{card: string, item: number} | null} */ (null));

/** What the pointer does in the picture. */
export const tool = signal(/** @type {Tool} */ ("pick"));

/** What `GET /v1/info` said; null until it did. */
export const info = signal(/** @type {Record<string, any> | null} */ (null));

/** Whether the small model is served, which knows drawn scenes and is used to small crops. */
export const isNano = computed(() => Object.keys(info.value?.model?.files ?? {}).some((file) => file.includes("nano")));

/** Layers that are drawn now. */
export const drawn = computed(() =>
  layers.value.filter((layer) => (solo.value === null ? layer.visible : layer.key === solo.value)),
);

/** What a gesture in the picture does; its owners replace these. */
export const gestures = {
  /** @type {(at: Point, held: Held) => void} */
  point: () => {},
  /** @type {(from: Point, to: Point, held: Held) => void} */
  box: () => {},
  /** @type {(from: Point, to: Point) => void} */
  line: () => {},
};

/** @param {Partial<Picture>} patch */
export function changePicture(patch) {
  if (picture.value) picture.value = { ...picture.value, ...patch };
}

/**
 * @param {string} key
 * @param {Partial<Card>} patch
 */
export function changeCard(key, patch) {
  cards.value = cards.value.map((card) => (card.key === key ? { ...card, ...patch } : card));
}

/**
 * @param {string} key
 * @param {Partial<Layer>} patch
 */
export function changeLayer(key, patch) {
  layers.value = layers.value.map((layer) => (layer.key === key ? { ...layer, ...patch } : layer));
}

/** @param {Picture} opened Shown instead of the present picture, whose questions and layers go. */
export function replacePicture(opened) {
  batch(() => {
    picture.value = opened;
    cards.value = [];
    layers.value = [];
    solo.value = hover.value = marked.value = null;
    screen.value = "work";
  });
}

let made = 0;

/** @returns {string} A key that nothing else on the page has. */
export function newKey() {
  made += 1;
  return `k${made}`;
}
