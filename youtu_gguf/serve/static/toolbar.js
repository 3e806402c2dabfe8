/** The tools of the picture: what the pointer does, and how large the picture is shown. */

import { html } from "./vendor/lit-html.js";
import { computed } from "./vendor/signals-core.js";
import { tool } from "./store.js";
import { fit, fitted, view, zoomBy, zoomTo } from "./view.js";
import { words } from "./words.js";

const t = words({
  tools: ["Tools", "工具"],
  pick: ["Pick", "选取"],
  pan: ["Pan", "平移"],
  measure: ["Measure", "测量"],
  pickTitle: ["Click for the mask of a thing, drag a box around it (P)", "点击物体得到其掩码，或拖出一个框 (P)"],
  panTitle: ["Drag moves the picture (H)", "拖动以平移图像 (H)"],
  measureTitle: ["Drag a line to measure (M)", "拖出线段以测量 (M)"],
  zoom: ["Zoom", "缩放"],
  fit: ["Fit", "适应"],
  fitTitle: ["Show the whole picture (0)", "显示整幅图像 (0)"],
  in: ["Larger (+)", "放大 (+)"],
  out: ["Smaller (-)", "缩小 (-)"],
  actual: ["Show one pixel as one", "按实际像素显示"],
});

export const ZOOM_STEP = 1.25;

const ICONS = {
  pick: html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M4 3l5 13 2-5 5-2z" /></svg>`,
  pan: html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M10 2v16M2 10h16M10 2L8 4.5M10 2l2 2.5M10 18l-2-2.5M10 18l2-2.5M2 10l2.5-2M2 10l2.5 2M18 10l-2.5-2M18 10l-2.5 2" /></svg>`,
  measure: html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M3 14L14 3l3 3L6 17zM6 11l1.5 1.5M8.5 8.5l2 2M11 6l1.5 1.5" /></svg>`,
};

/** Pixels of the screen for a pixel of the picture, in percent. */
const zoomed = computed(() => Math.round(100 * view.value.scale * (devicePixelRatio || 1)));

/** @returns {unknown} */
export function toolbar() {
  const choice = (/** @type {import("./store.js").Tool} */ name) => html`<button
    type="button"
    title=${t(`${name}Title`)}
    aria-pressed=${tool.value === name}
    @click=${() => (tool.value = name)}
  >
    ${ICONS[name]}<span class="tool-name">${t(name)}</span>
  </button>`;
  return html`
    <div class="tools" role="group" aria-label=${t("tools")}>
      ${choice("pick")}${choice("pan")}${choice("measure")}
    </div>
    <div class="tools" role="group" aria-label=${t("zoom")}>
      <button type="button" title=${t("out")} aria-label=${t("out")} @click=${() => zoomBy(1 / ZOOM_STEP)}>−</button>
      <button type="button" class="number zoom" title=${t("actual")} @click=${() => zoomTo(1 / (devicePixelRatio || 1))}>
        ${zoomed.value} %
      </button>
      <button type="button" title=${t("in")} aria-label=${t("in")} @click=${() => zoomBy(ZOOM_STEP)}>+</button>
      <button type="button" title=${t("fitTitle")} aria-pressed=${fitted.value} @click=${fit}>${t("fit")}</button>
    </div>
  `;
}
