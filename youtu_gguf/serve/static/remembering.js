/** Puts the present picture and its answers into the history, and takes them out again. */

import { ApiFailure, send } from "./api.js";
import { addLayer } from "./layers.js";
import { notify } from "./panels.js";
import { fileOf, putRecord } from "./records.js";
import { openPicture } from "./start.js";
import { signal } from "./vendor/signals-core.js";
import { cards, newKey, picture } from "./store.js";
import { words } from "./words.js";

const t = words({
  gone: ["The file of {name} was not kept, and the server no longer has it. Open the file again.", "未保存 {name} 的文件，服务器上也已没有。请重新打开该文件。"],
  faded: ["The server no longer has the pixels of: {what}. Ask again to see them.", "服务器上已没有以下结果的像素：{what}。请重新提问。"],
  failed: ["The history could not be written: {why}", "无法写入历史：{why}"],
});

const OFF = "youtu-history";
const THUMBNAIL_PX = 192;
const WRITE_AFTER_MS = 400;

/** Larger pictures are not kept, in bytes. */
export const mostBytes = 20e6;

/** Why nothing can be kept, in the browser's words. */
export const trouble = signal(/** @type {string | null} */ (null));

/** How often the history was written. */
export const written = signal(0);

/** Whether questions are kept. */
export const isKeeping = signal(wasOn());

/** Records of pictures, by their file: a picture that is opened again from the history goes on in its record. @type {WeakMap<Blob, string>} */
const recordIds = new WeakMap();

/** Records whose file is kept already. @type {Set<string>} */
const withFile = new Set();

function wasOn() {
  try {
    return localStorage.getItem(OFF) !== "off";
  } catch {
    return true; // storage is turned off, and IndexedDB says so itself
  }
}

/** Turn the history on or off; what is kept stays. @param {boolean} isOn */
export function turn(isOn) {
  isKeeping.value = isOn;
  try {
    localStorage.setItem(OFF, isOn ? "on" : "off");
  } catch {
    // it lasts as long as the page
  }
}

let timer = 0;

/** Keep the present picture and its finished cards, soon. */
export function keep() {
  clearTimeout(timer);
  timer = window.setTimeout(() => void write(), WRITE_AFTER_MS);
}

async function write() {
  const opened = picture.value;
  const done = cards.value.filter(({ stage, result, text }) => ["done", "stopped", "failed"].includes(stage) && (result || text));
  if (!opened || !done.length || !isKeeping.value) return;
  const id = recordIds.get(opened.file) ?? randomId();
  recordIds.set(opened.file, id);
  const fits = opened.file.size <= mostBytes;
  const { name, width, height, id: image, file } = opened;
  try {
    const thumbnail = await thumbnailOf(opened.bitmap);
    const record = { id, name, time: Date.now(), width, height, image, thumbnail, bytes: file.size, hasFile: fits, cards: done.map(keptCard) };
    await putWithRoom(record, fits && !withFile.has(id) ? file : null);
    written.value += 1;
  } catch (error) {
    if (trouble.value === null) notify({ kind: "info", text: t("failed", { why: String(error) }) });
    trouble.value = String(error);
  }
}

/**
 * @param {import("./records.js").PictureRecord} record
 * @param {Blob | null} file Left out where the browser has no room for it.
 */
async function putWithRoom(record, file) {
  try {
    await putRecord(record, file);
    if (file) withFile.add(record.id);
  } catch (error) {
    if (!file || !(error instanceof DOMException) || error.name !== "QuotaExceededError") throw error;
    await putRecord({ ...record, hasFile: false }, null);
  }
}

/** What was kept has been deleted: the picture's file is kept again if more is asked about it. */
export function forgetFiles() {
  withFile.clear();
}

/**
 * @param {import("./store.js").Card} card
 * @returns {import("./records.js").KeptCard}
 */
function keptCard({ question, image, text, result, began, ended, stage }) {
  return { question, image, text: result ? "" : text, result, began, ended, stage: /** @type {"done"} */ (stage) };
}

/** @returns {string} Where the connection is not secure, `crypto.randomUUID` is missing. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * @param {ImageBitmap | null} bitmap
 * @returns {Promise<Blob | null>}
 */
async function thumbnailOf(bitmap) {
  if (!bitmap) return null;
  const scale = Math.min(1, THUMBNAIL_PX / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/webp", 0.8));
}

/**
 * Show a picture of the history with its answers. What the server has forgotten is drawn from what is kept, where that
 * has its pixels.
 *
 * @param {import("./records.js").PictureRecord} record
 */
export async function openRecord(record) {
  const file = await fileOf(record.id).catch(() => null) ?? (await fileOfServer(record));
  if (!file) {
    notify({ kind: "error", text: t("gone", { name: record.name }) });
    return;
  }
  recordIds.set(file, record.id);
  if (record.hasFile) withFile.add(record.id);
  await openPicture(file, record.name);
  if (picture.value?.file !== file) return; // what opens it has said why
  const restored = record.cards.map((card) => ({
    ...card, key: newKey(), position: null, etaS: null, progress: null, failure: null, retryAt: null, requestId: card.result?.request_id ?? null,
  }));
  cards.value = [...cards.value, ...restored];
  await drawAll(restored.toReversed());
}

/** @param {import("./store.js").Card[]} restored The oldest first: later layers are drawn over them. */
async function drawAll(restored) {
  const faded = [];
  for (const card of restored) {
    if (!card.result) continue;
    try {
      await addLayer(card);
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      faded.push(card.question.task);
    }
  }
  if (faded.length) notify({ kind: "info", text: t("faded", { what: faded.join(", ") }) });
}

/**
 * @param {import("./records.js").PictureRecord} record
 * @returns {Promise<Blob | null>} The picture that was too large to be kept, while the server has it.
 */
async function fileOfServer({ image }) {
  if (!image) return null;
  try {
    return await (await send("GET", `/v1/images/${image}/content`)).blob();
  } catch (error) {
    if (error instanceof ApiFailure) return null;
    throw error;
  }
}
