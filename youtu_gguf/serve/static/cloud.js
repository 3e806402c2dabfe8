/** The point cloud: a depth layer's pixels in space, in a dialog. */

import { ApiFailure, send } from "./api.js";
import { CAMERA, cloudOn, FIRST } from "./cloud-view.js";
import { depthOf, spreadOfLayer, told } from "./depth.js";
import { askedFocal, focalFor, guessedFocal, knownFocal } from "./focal.js";
import { notify } from "./panels.js";
import { textAt } from "./readout.js";
import { saveFile } from "./saving.js";
import { placeOf, threeDigits } from "./space.js";
import { hover, picture } from "./store.js";
import { html, nothing, render } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

/** @typedef {import("./store.js").Layer} Layer */
/** @typedef {import("./cloud-view.js").View} View */

const t = words({
  title: ["Point cloud", "点云"],
  close: ["Close", "关闭"],
  canvas: [
    "Point cloud. Drag or arrow keys: turn. Wheel, plus and minus: nearer and farther. 0: first view.",
    "点云。拖动或方向键：旋转。滚轮、加号和减号：拉近和拉远。0：初始视角。",
  ],
  metres: ["In metres; focal length {px} px, {source}.", "单位：米；焦距 {px} 像素，{source}。"],
  relative: [
    "In relative units: the shape is right only as far as the focal length is ({px} px, {source}), the size has no unit.",
    "相对单位：形状是否正确取决于焦距（{px} 像素，{source}），大小没有单位。",
  ],
  exif: ["from EXIF data", "来自 EXIF 数据"],
  given: ["given", "由用户给出"],
  guessed: ["guessed", "估计值"],
  every: ["Points", "点"],
  each: ["every pixel", "每个像素"],
  nth: ["every {n} pixels", "每 {n} 个像素"],
  reset: ["Reset view", "重置视角"],
  camera: ["From the camera", "相机视角"],
  ply: ["Download PLY", "下载 PLY"],
  noPly: ["PLY holds metres, which relative distances do not give.", "PLY 以米为单位，相对距离无法导出。"],
  none: ["The point cloud needs WebGL 2, which this browser does not have.", "点云需要 WebGL 2，此浏览器不支持。"],
  count: ["{count} points, from {near} to {far} away", "{count} 个点，距离从 {near} 到 {far}"],
  place: ["right {x}, down {y}, ahead {z}", "右 {x}，下 {y}，前 {z}"],
  hint: ["Drag to turn, wheel to zoom.", "拖动旋转，滚轮缩放。"],
  lost: ["The PLY file could not be had: {why}", "无法获取 PLY 文件：{why}"],
});

const TURN = 0.0874; // 5 degrees
const CLOSER = 1.15;
/** Steps between points, as multiples of the smallest. */
const EVERY = [1, 2, 4];
/** Points that are taken at first, at most. */
const FIRST_POINTS = 500_000;

const count = signal(0);
const every = signal(1);

/**
 * Show a depth layer's points in a dialog.
 *
 * @param {Layer} layer Its distances are loaded.
 */
export function openCloud(layer) {
  const depth = depthOf(layer);
  const spread = spreadOfLayer(layer);
  if (!depth || !spread) return;
  const focal = focalFor(depth) ?? knownFocal() ?? guessedFocal(depth.width, depth.height);
  const dialog = document.createElement("dialog");
  dialog.className = "cloud";
  document.body.append(dialog);
  const middle = spread.sorted[spread.sorted.length >> 1];
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  const cloud = cloudOn(canvas, depth, picture.value?.bitmap ?? null, focal.px, middle);

  /** @type {View} */
  let view = { ...FIRST };
  let isDue = false;
  let isByKeys = false; // the middle is read then, where a cross stands
  const draw = () => {
    if (isDue || !cloud) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      const ratio = window.devicePixelRatio || 1;
      canvas.width = Math.max(1, Math.round(canvas.clientWidth * ratio));
      canvas.height = Math.max(1, Math.round(canvas.clientHeight * ratio));
      cloud.draw(view);
      if (isByKeys) hover.value = cloud.find(canvas.width / 2, canvas.height / 2);
    });
  };
  const look = (/** @type {Partial<View>} */ patch, byKeys = false) => {
    isByKeys = byKeys;
    view = { ...view, ...patch };
    view.pitch = Math.min(Math.max(view.pitch, -Math.PI / 2), Math.PI / 2);
    view.zoom = Math.min(Math.max(view.zoom, 0.05), 50);
    draw();
  };
  const take = (/** @type {number} */ n) => {
    every.value = n;
    count.value = cloud?.take(n) ?? 0;
    draw();
  };

  const read = () => {
    const at = hover.value;
    const place = at && placeOf(depth, at, focal.px);
    if (!at || !place) return t("hint");
    const [x, y, z] = [place.x, place.y, place.z].map(threeDigits);
    return html`<span translate="no">${textAt(at)}</span> · ${t("place", { x, y, z })}`;
  };
  const panel = () => html`
    <span class="cloud-head"><h2>${t("title")}</h2>
      <button type="button" class="quiet" aria-label=${t("close")} @click=${() => dialog.close()}>×</button></span>
    <p class=${depth.unit === "m" && focal.source !== "guessed" ? "dim" : "depth-relative"}>
      ${t(depth.unit === "m" ? "metres" : "relative", { px: Math.round(focal.px), source: t(focal.source) })}</p>
    ${cloud ? html`<div class="cloud-stage">${canvas}<span aria-hidden="true"></span></div>` : html`<p role="alert">${t("none")}</p>`}
    <p class="cloud-read" aria-live="polite">${read()}</p>
    <p class="dim">${t("count", { count: count.value.toLocaleString("en"), near: told(spread.least, depth.unit), far: told(spread.most, depth.unit) })}</p>
    <span class="depth-buttons">
      ${cloud
        ? html`<select aria-label=${t("every")} @change=${(/** @type {any} */ event) => take(Number(event.target.value))}>
              ${EVERY.map((n) => n * cloud.least).map((n) => html`<option value=${n} ?selected=${every.value === n}>${stepName(n)}</option>`)}
            </select>
            <button type="button" @click=${() => look(FIRST, true)}>${t("reset")}</button>
            <button type="button" @click=${() => look(CAMERA, true)}>${t("camera")}</button>`
        : nothing}
      <button type="button" ?disabled=${depth.unit !== "m"} @click=${() => savePly(layer, depth.focalPx === null ? askedFocal(focal) : null)}>
        ${t("ply")}</button>
    </span>
    ${depth.unit === "m" ? nothing : html`<p class="dim">${t("noPly")}</p>`}`;

  const stop = effect(() => {
    canvas.setAttribute("aria-label", t("canvas"));
    render(panel(), dialog);
  });
  const sized = new ResizeObserver(draw);
  sized.observe(canvas);
  if (cloud) listen(canvas, () => view, look, (x, y) => cloud.find(x, y));
  dialog.addEventListener("close", () => {
    stop();
    sized.disconnect();
    cloud?.end();
    dialog.remove();
    hover.value = null;
  });
  dialog.showModal();
  const steps = EVERY.map((n) => n * (cloud?.least ?? 1));
  take(steps.find((n) => (depth.width * depth.height) / n ** 2 <= FIRST_POINTS) ?? steps[steps.length - 1]);
  canvas.focus();
}

/** @param {number} n */
function stepName(n) {
  return n === 1 ? t("each") : t("nth", { n });
}

/**
 * Have gestures and keys turn the cloud, and the pointer read it.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {() => View} view
 * @param {(patch: Partial<View>, byKeys?: boolean) => void} look
 * @param {(x: number, y: number) => import("./store.js").Point | null} find
 */
function listen(canvas, view, look, find) {
  /** @type {Map<number, {x: number, y: number}>} */
  const held = new Map();
  const spread = () => {
    const [a, b] = [...held.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => held.delete(/** @type {PointerEvent} */ (event).pointerId));
  }
  canvas.addEventListener("pointermove", (event) => {
    const last = held.get(event.pointerId);
    if (!last) {
      const box = canvas.getBoundingClientRect();
      const ratio = canvas.width / box.width;
      hover.value = find((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio);
      return;
    }
    const before = held.size === 2 ? spread() : 0;
    held.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (before) look({ zoom: view().zoom * (spread() / before) });
    else look({ yaw: view().yaw + (event.clientX - last.x) * 0.006, pitch: view().pitch + (event.clientY - last.y) * 0.006 });
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      look({ zoom: view().zoom * Math.exp(-event.deltaY * 0.0015) });
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const { yaw, pitch, zoom } = view();
    /** @type {Record<string, Partial<View>>} */
    const next = {
      ArrowLeft: { yaw: yaw - TURN }, ArrowRight: { yaw: yaw + TURN }, ArrowUp: { pitch: pitch - TURN }, ArrowDown: { pitch: pitch + TURN },
      "+": { zoom: zoom * CLOSER }, "=": { zoom: zoom * CLOSER }, "-": { zoom: zoom / CLOSER }, 0: FIRST,
    };
    if (event.ctrlKey || event.metaKey || !(event.key in next)) return;
    event.preventDefault();
    look(next[event.key], true);
  });
}

/**
 * @param {Layer} layer
 * @param {string | null} focalPx Where the result does not know it.
 */
async function savePly({ result }, focalPx) {
  const name = `${(picture.value?.name ?? "picture").replace(/\.[^.]*$/, "")}.ply`;
  try {
    const focal = focalPx === null ? "" : `&focal_px=${focalPx}`;
    const answer = await send("GET", `/v1/results/${result.id}?as=ply&step=${every.value}${focal}`);
    saveFile(await answer.blob(), name);
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    notify({ kind: "error", text: t("lost", { why: error.message }), details: error.requestId ?? undefined });
  }
}
