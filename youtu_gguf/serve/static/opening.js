/** Opens pictures: shows them at once, sends them to the server, and follows how the model reads them. */

import { ApiFailure, call, events, send, upload } from "./api.js";
import { keyGiven } from "./key.js";
import { notify } from "./panels.js";
import { isFitting, shrunk, sizeOf, withFocal } from "./shrinking.js";
import { changePicture, info, picture, replacePicture } from "./store.js";
import { signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  large: [
    "{name} has {got} million pixels; the server takes {most} million. A smaller copy can be opened: positions are then in its pixels, and the focal length that a camera noted is lost.",
    "“{name}”有 {got} 百万像素；服务器最多接受 {most} 百万。可以打开缩小的副本：坐标以副本的像素计，相机记录的焦距会丢失。",
  ],
  long: [
    "{name} is a file of {got} MB; the server takes {most} MB. A smaller copy can be opened: positions are then in its pixels, and the focal length that a camera noted is lost.",
    "“{name}”文件大小为 {got} MB；服务器最多接受 {most} MB。可以打开缩小的副本：坐标以副本的像素计，相机记录的焦距会丢失。",
  ],
  hidden: [
    "{name} is too large for the server, and this browser cannot make it smaller, since it does not know the format. Save a smaller copy with another program.",
    "“{name}”超出服务器的限制，而浏览器不认识此格式，无法缩小。请用其他程序另存为较小的副本。",
  ],
  shrink: ["Shrink to fit and open", "缩小后打开"],
  convert: ["Convert and open", "转换后打开"],
  refused: ["{name} cannot be opened. The server says: {said}", "无法打开“{name}”。服务器答复：{said}"],
  broken: ["{name} is broken or no picture.", "“{name}”已损坏或不是图片。"],
  heic: [
    "The server has no reader for HEIC. Where it runs, install one and start it again: pip install \"youtu_gguf[heic]\". Or export the picture as JPEG.",
    "服务器缺少 HEIC 读取库。请在运行服务器的机器上执行 pip install \"youtu_gguf[heic]\" 并重新启动，或将图片导出为 JPEG。",
  ],
});

/** Most pixels that are shown: what the screen shows of larger pictures is sharp all the same. */
const MOST_SHOWN = 32e6;
const PROBE_MS = 2000;
const SOON_S = 2;

/**
 * @typedef {object} Delay Why a picture is not at the server yet.
 * @property {ApiFailure} failure
 * @property {number | null} until When it is sent again, in ms since 1970; null where that depends on something else.
 */

/** What holds up the sending of a picture; null while nothing does. */
export const delay = signal(/** @type {Delay | null} */ (null));

/** The share that was sent of a picture that cannot be shown before; null where there is none. */
export const unseen = signal(/** @type {number | null} */ (null));

/** Whether a smaller copy is being made. */
export const isShrinking = signal(false);

/** Why the picture on the workbench will not be at the server; null where it will. */
export const refusal = signal(/** @type {ApiFailure | null} */ (null));

/** When the last step of reading was told, by `performance.now()`. */
export const toldAt = signal(0);

/** @type {{file: Blob, id: Promise<string>} | null} */
let sending = null;
let ends = new AbortController();
let isFollowed = false;

/** Id of the request that has the model read the picture. @type {string | null} */
let preparing = null;

/**
 * Open a picture. What is on the workbench stays until the picture can be shown.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export async function openPicture(blob, name) {
  const begun = newOpening();
  const size = await sizeOf(blob);
  if (begun.aborted) return;
  const most = info.value?.limits;
  if (most && !isFitting(blob, size, most)) {
    offerSmaller(blob, name, size, most);
    return;
  }
  const bitmap = size && (await bitmapOf(blob, size));
  if (begun.aborted) return;
  if (bitmap && size) {
    show(blob, name, bitmap, size.width, size.height);
    arrive(blob, begun).catch((error) => failed(error, blob, name, size));
    return;
  }
  unseen.value = 0;
  try {
    await openUnseen(blob, name, begun);
  } catch (error) {
    failed(error, blob, name, size);
  } finally {
    if (!begun.aborted) unseen.value = null;
  }
}

/** @returns {AbortSignal} Aborted by the next opening. */
function newOpening() {
  ends.abort();
  ends = new AbortController();
  if (preparing && picture.value?.id && picture.value.state === "reading") void leave(picture.value.id, preparing);
  preparing = null;
  delay.value = refusal.value = unseen.value = null;
  isShrinking.value = false;
  return ends.signal;
}

/**
 * Have the model stop reading a picture, so that it is free for the next one.
 *
 * @param {string} id
 * @param {string} request
 */
async function leave(id, request) {
  try {
    const { state } = await call("GET", `/v1/images/${id}`);
    if (state === "reading") await call("DELETE", `/v1/requests/${request}`);
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error; // it has ended by itself
  }
}

/**
 * @param {Blob} file
 * @param {string} name
 * @param {ImageBitmap | null} bitmap
 * @param {number} width
 * @param {number} height
 */
function show(file, name, bitmap, width, height) {
  replacePicture({ id: null, name, file, bitmap, width, height, focalPx: null, sent: 0, state: "new", reading: null, readS: null });
}

/**
 * Open a picture that the browser cannot decode: the server's copy of it is shown.
 *
 * @param {Blob} blob
 * @param {string} name
 * @param {AbortSignal} begun
 */
async function openUnseen(blob, name, begun) {
  const form = await sent(blob, begun, (share) => (unseen.value = share));
  const answer = await send("GET", `/v1/images/${form.id}/content?as=webp&side=4096`, { signal: begun });
  const bitmap = await createImageBitmap(await answer.blob());
  if (begun.aborted) return;
  show(blob, name, bitmap, form.width, form.height);
  sending = { file: blob, id: Promise.resolve(form.id) };
  take(form, blob);
  void follow(form.id, blob, begun);
}

/**
 * Send the picture on the workbench, and follow its reading.
 *
 * @param {Blob} file
 * @param {AbortSignal} begun
 * @returns {Promise<string>} Its id.
 */
function arrive(file, begun) {
  const change = (/** @type {number} */ share) => changeIf(file, { sent: share });
  const id = sent(file, begun, change).then((form) => {
    take(form, file);
    void follow(form.id, file, begun);
    return form.id;
  });
  sending = { file, id };
  return id;
}

/**
 * @param {Blob} file
 * @param {Partial<import("./store.js").Picture>} patch
 */
function changeIf(file, patch) {
  if (picture.value?.file === file) changePicture(patch);
}

/**
 * @param {any} form What the server knows of an image.
 * @param {Blob} file
 */
function take(form, file) {
  changeIf(file, {
    id: form.id, width: form.width, height: form.height, focalPx: form.focal_px, sent: 1,
    state: form.state, reading: form.reading, readS: form.read_s,
  });
  toldAt.value = performance.now();
}

/**
 * Give the id of the present picture at the server, once it is there.
 *
 * @param {{again?: boolean}} [how] `again` where the server has forgotten it.
 * @returns {Promise<string>}
 */
export async function ensureImage({ again = false } = {}) {
  const shown = picture.value;
  if (!shown) throw new ApiFailure(-1, "page", "there is no picture");
  if (sending?.file !== shown.file || again || refusal.value) {
    refusal.value = null;
    if (again) changeIf(shown.file, { id: null, sent: 0, state: "new", reading: null, readS: null });
    arrive(shown.file, ends.signal).catch((error) => failed(error, shown.file, shown.name, shown));
  }
  const id = await /** @type {NonNullable<typeof sending>} */ (sending).id;
  if (picture.value?.state === "new") void follow(id, shown.file, ends.signal); // the question has it read now
  return id;
}

/** Send the picture on the workbench once more, after a refusal. */
export const sendAgain = () => void ensureImage().catch(() => {}); // the bar says it

/**
 * Send a file; wait where that may help, for as long as it takes.
 *
 * @param {Blob} file
 * @param {AbortSignal} begun
 * @param {(share: number) => void} onSent
 * @returns {Promise<any>} What the server knows of the image.
 */
async function sent(file, begun, onSent) {
  for (;;) {
    try {
      return await upload("/v1/images?prepare=true", file, { onSent, signal: begun, onOpen: (id) => (preparing = id) });
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      await pause(error, begun);
    } finally {
      if (!begun.aborted) delay.value = null;
    }
  }
}

/**
 * Wait until a request that failed may succeed.
 *
 * @param {ApiFailure} failure
 * @param {AbortSignal} begun
 * @throws What failed, where waiting does not help.
 */
async function pause(failure, begun) {
  if (failure.status === 401) {
    delay.value = { failure, until: null };
    await keyGiven();
  } else if (failure.status === 0) {
    delay.value = { failure, until: null };
    do await sleep(PROBE_MS);
    while (!begun.aborted && !(await isBack()));
  } else if (failure.status === 503 || failure.status === 429) {
    const waitS = failure.retryAfterS ?? SOON_S;
    delay.value = { failure, until: Date.now() + waitS * 1000 };
    await sleep(waitS * 1000);
  } else throw failure;
  begun.throwIfAborted();
}

/** @returns {Promise<boolean>} Whether the server answers again, and has its model. */
async function isBack() {
  try {
    return (await call("GET", "/v1/info")).state !== "loading";
  } catch (error) {
    return error instanceof ApiFailure && error.status > 0;
  }
}

/** @param {number} ms */
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const isRead = () => picture.value?.state === "ready";

/**
 * Keep the picture's state up to date until the model has read it.
 *
 * @param {string} id
 * @param {Blob} file
 * @param {AbortSignal} begun
 */
async function follow(id, file, begun) {
  if (isFollowed || isRead()) return;
  isFollowed = true;
  try {
    for await (const { event, data } of events("GET", `/v1/images/${id}/events`, { signal: begun })) {
      toldAt.value = performance.now();
      if (event === "reading") changeIf(file, { state: "reading", reading: data });
      else if (event === "ready") changeIf(file, { state: "ready", reading: null, readS: data.read_s });
    }
    if (!isRead()) changeIf(file, { state: "new", reading: null });
  } catch (error) {
    if (!begun.aborted) changeIf(file, { state: "new", reading: null }); // a question says what is wrong with the server
    if (!(error instanceof ApiFailure) && !begun.aborted) throw error;
  } finally {
    isFollowed = false;
  }
}

/**
 * @param {Blob} blob
 * @param {{width: number, height: number}} size
 * @returns {Promise<ImageBitmap | null>} null where it cannot be decoded.
 */
async function bitmapOf(blob, size) {
  const scale = Math.min(1, Math.sqrt(MOST_SHOWN / (size.width * size.height)));
  /** @type {ImageBitmapOptions} */
  const smaller = scale < 1 ? { resizeWidth: Math.round(size.width * scale), resizeQuality: "high" } : {};
  return createImageBitmap(blob, { imageOrientation: "from-image", ...smaller }).catch(() => null);
}

/**
 * @param {Blob} blob
 * @param {string} name
 * @param {{width: number, height: number} | null} size
 * @param {{pixels: number, body: number}} most
 */
function offerSmaller(blob, name, size, most) {
  if (!size) {
    notify({ kind: "error", text: t("hidden", { name }) });
    return;
  }
  const isLarge = size.width * size.height > most.pixels;
  const text = isLarge
    ? t("large", { name, got: millions(size.width * size.height), most: millions(most.pixels) })
    : t("long", { name, got: millions(blob.size), most: millions(most.body) });
  notify({ kind: "error", text, action: { label: t("shrink"), run: () => void openShrunk(blob, name, size, most) } });
}

/** @param {number} n */
const millions = (n) => (n / 1e6).toFixed(n < 1e7 ? 1 : 0);

/**
 * @param {Blob} blob
 * @param {string} name
 * @param {{width: number, height: number}} size
 * @param {{pixels: number, body: number}} most
 */
async function openShrunk(blob, name, size, most) {
  const begun = newOpening();
  isShrinking.value = true;
  const smaller = await shrunk(blob, size, most);
  if (begun.aborted) return;
  isShrinking.value = false;
  if (smaller) await openPicture(smaller, copyName(name));
  else notify({ kind: "error", text: t("broken", { name }) });
}

/** Pixels of a copy that is read quickly: some 500 image tokens. */
const QUICK_PIXELS = 5e5;

/**
 * @param {import("./store.js").Picture} shown
 * @returns {number} The share of its reading that a quick copy takes; 1 where that saves nothing.
 */
export function quickShare(shown) {
  const looked = Math.min(shown.width * shown.height, (info.value?.limits.image_tokens ?? 0) * 1024);
  return looked ? Math.min(1, QUICK_PIXELS / looked) : 1;
}

/**
 * Open a copy of the picture on the workbench that is read quickly, with its focal length.
 *
 * @param {import("./store.js").Picture} shown
 */
export async function openQuickCopy(shown) {
  const begun = newOpening();
  isShrinking.value = true;
  const copy = await shrunk(shown.file, shown, { pixels: QUICK_PIXELS, body: Infinity });
  const size = copy && (await sizeOf(copy));
  if (begun.aborted) return;
  isShrinking.value = false;
  if (!copy || !size) {
    notify({ kind: "error", text: t("broken", { name: shown.name }) });
    return;
  }
  const focalPx = shown.focalPx && (shown.focalPx * size.width) / shown.width;
  const side = Math.max(size.width, size.height);
  await openPicture(focalPx ? withFocal(copy, focalPx, side) : copy, copyName(shown.name));
}

/** @param {string} name */
const copyName = (name) => name.replace(/\.\w+$/, "") + ".jpg";

/**
 * @param {unknown} error
 * @param {Blob} blob
 * @param {string} name
 * @param {{width: number, height: number} | null} size
 */
function failed(error, blob, name, size) {
  if (!(error instanceof ApiFailure)) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    throw error;
  }
  if (picture.value?.file === blob) refusal.value = error;
  const most = info.value?.limits ?? { pixels: 1e7, body: 1e7 };
  if (error.status === 413) {
    if (size) notify({ kind: "error", text: t("refused", { name, said: error.message }), details: detailsOf(error), action: { label: t("shrink"), run: () => void openShrunk(blob, name, size, most) } });
    else notify({ kind: "error", text: t("hidden", { name }), details: detailsOf(error) });
  } else if (error.status === 415 && /\.(heic|heif|hif)$/i.test(name)) {
    notify({ kind: "error", text: t("heic"), details: detailsOf(error) });
  } else {
    const convert = size && error.status === 415 ? { label: t("convert"), run: () => void openShrunk(blob, name, size, most) } : undefined;
    const said = size || error.status !== 415 ? t("refused", { name, said: error.message }) : t("broken", { name });
    notify({ kind: "error", text: said, details: detailsOf(error), action: convert });
  }
}

/**
 * @param {ApiFailure} failure
 * @returns {string} What helps to find it in the server's log.
 */
export function detailsOf(failure) {
  return [`${failure.status} ${failure.code}`, failure.message, failure.requestId ?? ""].join("\n").trim();
}
