/** The picture: where it is shown, moved, pointed at and drawn upon. */

import { html, nothing, svg } from "./vendor/lit-html.js";
import { computed, effect } from "./vendor/signals-core.js";
import { byKeys, isPictureInFocus, watchArrows } from "./crosshair.js";
import { markAt } from "./hits.js";
import { shortcut } from "./keys.js";
import { mount } from "./panels.js";
import { mountPicking, pickNote } from "./picking.js";
import { clickAt, follow, forget, listen, rubber, rubberOnStage, spaceHeld, watchSpace } from "./pointer.js";
import { hover, picture, screen, tool } from "./store.js";
import { mountSurface } from "./surface.js";
import { toolbar, ZOOM_STEP } from "./toolbar.js";
import { bitmap, fit, fitted, height, stage, toStage, view, width, zoomBy, zoomTo } from "./view.js";
import { language, words } from "./words.js";

export { painters, repaint } from "./surface.js";

const t = words({
  picture: [
    "Picture {name}. The arrow keys move a crosshair, Enter clicks there.",
    "图像 {name}。方向键移动十字线，回车键在该处点击。",
  ],
  opening: ["Opening the picture …", "正在打开图像……"],
  pick: ["Tool: pick", "工具：选取"],
  pan: ["Tool: pan", "工具：平移"],
  measure: ["Tool: measure", "工具：测量"],
  fit: ["Show the whole picture", "显示整幅图像"],
  actual: ["Show one pixel as one", "按实际像素显示"],
  in: ["Larger", "放大"],
  out: ["Smaller", "缩小"],
  click: ["Click at the crosshair", "在十字线处点击"],
  cancel: ["Cancel the box or line", "取消框或线段"],
});

const isOpen = computed(() => picture.value !== null);

/** @param {HTMLElement} host */
export function mountViewer(host) {
  const [surface, gesture, tools, note] = ["surface", "gesture", "toolbar", "pick-place"].map((name) => {
    const part = document.createElement("div");
    part.className = name;
    return part;
  });
  surface.tabIndex = 0;
  surface.setAttribute("role", "application");
  host.append(surface, gesture, tools, note);
  mountSurface(surface);
  listen(surface);
  watchSpace();
  watchSize(surface);
  watchKeys();
  mount(gesture, gestureLines);
  mount(tools, () => html`${width.value ? toolbar() : nothing}
    ${bitmap.value || !isOpen.value ? nothing : html`<p class="opening">${t("opening")}</p>`}`);
  mountPicking();
  mount(note, pickNote);
  effect(() => {
    const name = picture.value?.name ?? "";
    if (language.value) surface.setAttribute("aria-label", t("picture", { name }));
  });
  effect(() => {
    surface.dataset.tool = spaceHeld.value ? "pan" : tool.value;
  });
}

/** @param {HTMLElement} surface */
function watchSize(surface) {
  new ResizeObserver(() => {
    const { clientWidth, clientHeight } = surface;
    if (!clientWidth || !clientHeight) return; // another screen is shown
    stage.value = { width: clientWidth, height: clientHeight };
  }).observe(surface);
  effect(() => {
    if (bitmap.value || width.value || height.value) fitted.value = true; // another picture
  });
  effect(() => {
    if (fitted.value && stage.value.width && width.value) fit();
  });
}

function watchKeys() {
  const isHere = () => screen.value === "work" && width.value > 0;
  const moveTo = (/** @type {import("./store.js").Point} */ at) => {
    markAt(at);
    follow(at);
  };
  watchArrows(moveTo);
  shortcut("p", () => t("pick"), () => (tool.value = "pick"), isHere);
  shortcut("h", () => t("pan"), () => (tool.value = "pan"), isHere);
  shortcut("m", () => t("measure"), () => (tool.value = "measure"), isHere);
  shortcut("0", () => t("fit"), fit, isHere);
  shortcut(")", () => t("actual"), () => zoomTo(1 / (devicePixelRatio || 1)), isHere);
  for (const key of ["+", "="]) shortcut(key, () => t("in"), () => zoomBy(ZOOM_STEP), isHere);
  shortcut("-", () => t("out"), () => zoomBy(1 / ZOOM_STEP), isHere);
  shortcut("Escape", () => t("cancel"), forget, () => rubber.value !== null);
  const click = (/** @type {KeyboardEvent} */ event) => {
    if (hover.value) clickAt(hover.value, { shift: event.shiftKey, alt: event.altKey });
  };
  shortcut("Enter", () => t("click"), click, () => isPictureInFocus() && hover.value !== null);
}

/** @returns {unknown} The box or line that is being drawn, and the crosshair. */
function gestureLines() {
  const drawing = rubberOnStage();
  const cross = byKeys.value && hover.value ? toStage(hover.value) : null;
  if ((!drawing && !cross) || !view.value) return nothing;
  return html`<svg aria-hidden="true">${drawing ? rubberLines(drawing) : nothing}${cross ? crossLines(cross) : nothing}</svg>`;
}

/** @param {import("./pointer.js").Rubber} drawing */
function rubberLines({ kind, from, to }) {
  if (kind === "line") {
    const line = (/** @type {string} */ name) => svg`<line class=${name} x1=${from.x} y1=${from.y} x2=${to.x} y2=${to.y} />`;
    return [line("under"), line("over")];
  }
  const [x, y, across, down] = [Math.min(from.x, to.x), Math.min(from.y, to.y), Math.abs(to.x - from.x), Math.abs(to.y - from.y)];
  const rect = (/** @type {string} */ name) => svg`<rect class=${name} x=${x} y=${y} width=${across} height=${down} />`;
  return [rect("under"), rect("over")];
}

/** @param {import("./store.js").Point} at */
function crossLines({ x, y }) {
  const path = `M${x} 0V${y - 6}M${x} ${y + 6}V4000M0 ${y}H${x - 6}M${x + 6} ${y}H6000`;
  return ["under", "over"].map((name) => svg`<path class=${name} d=${path} />`);
}
