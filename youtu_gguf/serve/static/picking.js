/**
 * Masks by pointing: a click masks the thing there, a dragged box the thing in it. Shift adds to the draft, Alt takes
 * away from it, Enter keeps it as a layer.
 */

import { html, nothing } from "./vendor/lit-html.js";
import { computed, effect, signal } from "./vendor/signals-core.js";
import { ApiFailure, events } from "./api.js";
import { shortcut } from "./keys.js";
import { addMask } from "./layers.js";
import { patchOfRle, difference, EMPTY, rleOfPatch, union } from "./patches.js";
import { clickAt, drafted } from "./pointer.js";
import { paintPatches } from "./rasters.js";
import { ensureImage } from "./start.js";
import { fitting } from "./questions.js";
import { gestures, hover, picture, screen } from "./store.js";
import { painters } from "./surface.js";
import { stage, toStage } from "./view.js";
import { words } from "./words.js";

const t = words({
  waiting: ["Waiting for the picture …", "正在等待图像……"],
  queued: ["In the queue: {n}", "排队中：{n}"],
  asking: ["Looking …", "正在查看……"],
  encode: ["Reading the picture: {percent} %", "正在读取图像：{percent} %"],
  nothing: ["Nothing was found there. Try another point, or drag a box around the thing.", "此处没有找到物体。请换一个点，或在物体周围拖出一个框。"],
  found: ["{area} pixels, left {left}, top {top}, right {right}, bottom {bottom}", "{area} 像素，左 {left}，上 {top}，右 {right}，下 {bottom}"],
  unreachable: ["The server cannot be reached. Check that it runs, then try again.", "无法连接服务器。请确认它在运行，然后重试。"],
  took: ["{s} s", "{s} 秒"],
  again: ["The server is busy; this is asked again in {s} s.", "服务器繁忙，{s} 秒后重新提问。"],
  keep: ["Keep", "保留"],
  drop: ["Drop", "丢弃"],
  undo: ["Undo", "撤销"],
  hint: ["Shift adds, Alt takes away", "Shift 添加，Alt 去除"],
  keepKey: ["Keep the mask; with Shift add to it at the crosshair, with Alt take away", "保留掩码；按住 Shift 在十字线处添加，Alt 去除"],
  dropKey: ["Drop the mask", "丢弃掩码"],
  undoKey: ["Undo the last step of the mask", "撤销掩码的上一步"],
  noDraft: ["There is no mask to take away from yet: click without Alt first.", "还没有可去除的掩码：请先不按 Alt 点击。"],
  close: ["Close", "关闭"],
});

/** @typedef {import("./store.js").Point} Point */
/** @typedef {import("./patches.js").Patch} Patch */
/** @typedef {"new" | "add" | "remove"} How */

/**
 * @typedef {object} Step One thing that was pointed at.
 * @property {How} how
 * @property {Patch | null} patch null until the answer is there.
 * @property {import("./store.js").Result | null} result
 */

/**
 * @typedef {object} Note What is told of the draft.
 * @property {string} text
 * @property {Point} at Beside this point of the picture.
 * @property {"busy" | "found" | "error"} kind
 * @property {string | null} [request] Id of the request that failed.
 */

const DRAFT = /** @type {import("./palette.js").Rgb} */ ([255, 215, 94]);
const DRAFT_ALPHA = 0.45;
const SMALLEST_BOX_PX = 2;
const MOST_TRIES = 4;
const NOTE_PX = { width: 250, height: 110 };

const steps = signal(/** @type {Step[]} */ ([]));
const note = signal(/** @type {Note | null} */ (null));

/** @type {Set<AbortController>} */
const running = new Set();

/** The draft: what the steps so far make together; null without one. */
export const draft = computed(() => {
  const ready = steps.value.filter((step) => step.patch);
  return ready.length ? ready.reduce(combined, EMPTY) : null;
});

/**
 * @param {Patch} so
 * @param {Step} step
 * @returns {Patch}
 */
function combined(so, { how, patch }) {
  if (!patch) return so;
  if (how === "new") return patch;
  return how === "add" ? union(so, patch) : difference(so, patch);
}

/**
 * Ask for a mask, and make it a step of the draft.
 *
 * @param {{point: number[]} | {box: number[]}} args
 * @param {Point} at Where to tell of it.
 * @param {import("./store.js").Held} held
 */
async function pick(args, at, held) {
  const how = held.alt ? "remove" : held.shift && steps.value.length ? "add" : "new";
  if (how === "remove" && !draft.value) return tell(t("noDraft"), at, "error");
  if (how === "new") for (const one of running) one.abort();
  const step = /** @type {Step} */ ({ how, patch: null, result: null });
  steps.value = [...steps.value, step];
  const stopping = new AbortController();
  running.add(stopping);
  try {
    const result = await answered(args, at, stopping.signal);
    const patch = result.mask ? patchOfRle(result.mask) : EMPTY;
    const isKept = patch.area > 0;
    steps.value = steps.value.flatMap((one) => (one !== step ? [one] : isKept ? [{ how, patch, result }] : []));
    if (isKept) tell(found(result.timings.total_s), at, "found");
    else tell(t("nothing"), at, "error");
  } catch (error) {
    steps.value = steps.value.filter((one) => one !== step);
    if (error instanceof ApiFailure) {
      const text = error.status === 0 ? t("unreachable") : error.message;
      note.value = { text, at, kind: "error", request: error.requestId };
    } else if (!stopping.signal.aborted) throw error;
  } finally {
    running.delete(stopping);
  }
}

/**
 * @param {{point: number[]} | {box: number[]}} args
 * @param {Point} at
 * @param {AbortSignal} ends
 * @returns {Promise<import("./store.js").Result>}
 */
async function answered(args, at, ends) {
  tell(t("waiting"), at);
  let image = await ensureImage();
  for (let tries = 1; ; tries += 1) {
    ends.throwIfAborted();
    try {
      return await streamed({ image, ...fitting("refer"), ...args, output: { masks: "rle" }, stream: true }, at, ends);
    } catch (error) {
      if (!(error instanceof ApiFailure) || tries === MOST_TRIES) throw error;
      if (error.code === "image_not_found") image = await ensureImage({ again: true });
      else if (error.status === 429) await countDown(error.retryAfterS ?? 1, at, ends);
      else throw error;
    }
  }
}

/**
 * @param {object} json
 * @param {Point} at
 * @param {AbortSignal} ends
 */
async function streamed(json, at, ends) {
  tell(t("asking"), at);
  let result = null;
  let requestId = /** @type {string | null} */ (null);
  const onOpen = (/** @type {string | null} */ id) => (requestId = id);
  for await (const { event, data } of events("POST", "/v1/tasks/refer", { json, signal: ends, onOpen })) {
    if (event === "queued") tell(t("queued", { n: data.position }), at);
    if (event === "progress") {
      const percent = Math.round((100 * data.done) / Math.max(1, data.total));
      tell(data.stage === "encode" ? t("encode", { percent }) : t("asking"), at);
    }
    if (event === "error") throw new ApiFailure(400, data.error.code, data.error.message, { requestId });
    if (event === "result") result = data;
  }
  if (!result) throw new ApiFailure(0, "unreachable", "the stream ended without a result");
  return result;
}

/**
 * @param {number} seconds
 * @param {Point} at
 * @param {AbortSignal} ends
 */
async function countDown(seconds, at, ends) {
  for (let left = Math.ceil(seconds); left > 0; left -= 1) {
    tell(t("again", { s: left }), at);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    ends.throwIfAborted();
  }
}

/**
 * @param {string} text
 * @param {Point} at
 * @param {Note["kind"]} [kind]
 */
function tell(text, at, kind = "busy") {
  note.value = { text, at, kind };
}

/**
 * @param {number | undefined} seconds
 * @returns {string} What the draft is, in words.
 */
function found(seconds) {
  const { x, y, width, height, area } = draft.value ?? EMPTY;
  const place = t("found", { area: area.toLocaleString(), left: x, top: y, right: x + width, bottom: y + height });
  return seconds === undefined ? place : `${place} · ${t("took", { s: seconds.toFixed(1) })}`;
}

function keep() {
  const ready = steps.value.filter((step) => step.patch);
  const patch = draft.value;
  const { width = 0, height = 0, id = null } = picture.value ?? {};
  if (!patch?.area) return drop();
  const last = ready[ready.length - 1];
  const own = last.how === "new" ? last.result : null; // the server knows this one
  const made = {
    id: "", type: "Mask", task: "refer", image: id ?? "", raw: "", finish: "stop", issues: [], usage: {}, timings: {},
    size: [width, height], mask: rleOfPatch(patch, width, height), area: patch.area, score: null, refined_by: "none",
    xyxy: [patch.x, patch.y, patch.x + patch.width, patch.y + patch.height],
  };
  drop();
  addMask(/** @type {import("./store.js").Result} */ (own ?? made));
}

/** @param {KeyboardEvent} event Keeps the mask; with Shift or Alt the thing at the crosshair is added or taken away. */
function enter({ shiftKey, altKey }) {
  if ((shiftKey || altKey) && hover.value) clickAt(hover.value, { shift: shiftKey, alt: altKey });
  else keep();
}

function drop() {
  for (const one of running) one.abort();
  steps.value = [];
  note.value = null;
}

function undo() {
  steps.value = steps.value.slice(0, -1);
  if (!draft.value) drop();
  else if (note.value) tell(found(undefined), note.value.at, "found");
}

const isDrafting = () => screen.value === "work" && (steps.value.length > 0 || note.value !== null);
const hasDraft = () => screen.value === "work" && draft.value !== null;
const isPlain = () => hasDraft() && !document.activeElement?.closest(".panel, #ask, #head, #exporting");

/** Let gestures in the picture make masks. */
export function mountPicking() {
  gestures.point = (at, held) => void pick({ point: [rounded(at.x), rounded(at.y)] }, at, held);
  gestures.box = (from, to, held) => {
    if (to.x - from.x < SMALLEST_BOX_PX || to.y - from.y < SMALLEST_BOX_PX) return;
    void pick({ box: [from.x, from.y, to.x, to.y].map(rounded) }, { x: (from.x + to.x) / 2, y: to.y }, held);
  };
  painters.add((context, frame) => {
    if (draft.value) paintPatches(context, [{ patch: draft.value, rgb: DRAFT, strong: true }], DRAFT_ALPHA, frame);
  });
  effect(() => {
    drafted.value = draft.value !== null;
  });
  const shown = computed(() => picture.value?.file);
  effect(() => {
    void shown.value; // another picture has no draft yet
    drop();
  });
}

// before the click of the same key, which is for when there is no draft
shortcut("Enter", () => t("keepKey"), enter, () => isPlain() && running.size === 0);
shortcut("Escape", () => t("dropKey"), drop, isDrafting);
shortcut("z", () => t("undoKey"), undo, hasDraft);

/** @param {number} value */
function rounded(value) {
  return Math.round(value * 100) / 100;
}

/** @returns {unknown} What is known of the draft, beside it. */
export function pickNote() {
  const told = note.value;
  return html`<p class="unseen" aria-live="polite">${told && told.kind !== "busy" ? told.text : ""}</p>
    ${told ? noteBeside(told) : nothing}`;
}

/** @param {Note} told */
function noteBeside(told) {
  const { x, y } = toStage(told.at);
  const left = Math.max(8, Math.min(x + 16, stage.value.width - NOTE_PX.width - 8));
  const top = Math.max(8, Math.min(y + 16, stage.value.height - NOTE_PX.height - 8));
  return html`<div
    class="pick-note ${told.kind}"
    .style=${`left: ${left}px; top: ${top}px; width: ${NOTE_PX.width}px`}
  >
    <p>${told.text}</p>
    ${told.request ? html`<p class="dim number">${told.request}</p>` : nothing}
    ${draft.value ? html`<p class="dim">${t("hint")}</p>` : nothing}
    <span class="actions">
      ${draft.value
        ? html`<button type="button" class="main" @click=${keep}>${t("keep")} <kbd>⏎</kbd></button>
            <button type="button" class="quiet" @click=${undo}>${t("undo")}</button>`
        : nothing}
      <button type="button" class="quiet" @click=${drop}>${draft.value ? t("drop") : t("close")}</button>
    </span>
  </div>`;
}
