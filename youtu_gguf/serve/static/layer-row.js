/** A row of the layers panel: what can be changed of a layer. */

import { html, nothing, svg } from "./vendor/lit-html.js";
import { batch, signal } from "./vendor/signals-core.js";
import { depthControls } from "./depth.js";
import { legend } from "./legend.js";
import { maskCoco, maskPng } from "./maskfiles.js";
import { nameOf, namePartsOf } from "./names.js";
import { saveFile } from "./saving.js";
import { changeLayer, layers, picture, solo } from "./store.js";
import { textTwin } from "./twins.js";
import { words } from "./words.js";

const t = words({
  show: ["Show {name}", "显示 {name}"],
  only: ["Show only {name}", "仅显示 {name}"],
  eyeTitle: ["Show or hide; Alt+click shows only this layer", "显示或隐藏；Alt+点击仅显示此图层"],
  onlyShort: ["Solo", "单独"],
  colour: ["Colour of {name}", "{name} 的颜色"],
  opacity: ["Opacity of {name}", "{name} 的不透明度"],
  name: ["Name", "名称"],
  rename: ["Rename {name}", "重命名 {name}"],
  up: ["Move {name} up", "上移 {name}"],
  down: ["Move {name} down", "下移 {name}"],
  remove: ["Remove {name}", "移除 {name}"],
  items: ["In words", "文字列表"],
});

/** @typedef {import("./store.js").Layer} Layer */

const WITHOUT_COLOUR = ["labels", "depth"];

/** Key of the layer whose name is being changed. */
const renamed = signal(/** @type {string | null} */ (null));

/** @param {Layer} layer */
function toggleSolo(layer) {
  solo.value = solo.value === layer.key ? null : layer.key;
}

/**
 * @param {Layer} layer
 * @param {MouseEvent} event
 */
function toggleEye(layer, event) {
  if (event.altKey) return toggleSolo(layer);
  const isShown = solo.value === null ? layer.visible : solo.value === layer.key;
  batch(() => {
    solo.value = null;
    changeLayer(layer.key, { visible: !isShown });
  });
}

/** @param {Layer} layer */
function remove(layer) {
  batch(() => {
    if (solo.value === layer.key) solo.value = null;
    layers.value = layers.value.filter((one) => one !== layer);
  });
}

/**
 * @param {Layer} layer
 * @param {1 | -1} step Towards the top or the bottom.
 */
function move(layer, step) {
  const from = layers.value.indexOf(layer);
  layers.value = layers.value.toSpliced(from, 1).toSpliced(from + step, 0, layer);
}

/**
 * @param {Layer} layer
 * @param {string} name
 */
function rename(layer, name) {
  batch(() => {
    renamed.value = null;
    if (name.trim() && name !== nameOf(layer)) changeLayer(layer.key, { name: name.trim() });
  });
}

/**
 * @param {Layer} layer
 * @param {number} place From the top.
 * @param {number} n Layers in all.
 * @returns {unknown}
 */
export function layerRow(layer, place, n) {
  const name = nameOf(layer);
  const isShown = solo.value === null ? layer.visible : solo.value === layer.key;
  return html`<li class=${isShown ? "layer" : "layer off"}>
    <div class="layer-head">
      <button type="button" class="quiet icon" aria-pressed=${isShown} aria-label=${t("show", { name })} title=${t("eyeTitle")}
        @click=${(/** @type {MouseEvent} */ event) => toggleEye(layer, event)}>${eye(isShown)}</button>
      ${WITHOUT_COLOUR.includes(layer.kind)
        ? nothing
        : html`<input type="color" aria-label=${t("colour", { name })} .value=${layer.colour}
            @input=${(/** @type {any} */ event) => changeLayer(layer.key, { colour: event.target.value })}>`}
      ${nameButton(layer)}
    </div>
    <div class="layer-head">
      <input type="range" class="opacity" min="0" max="1" step="0.05" aria-label=${t("opacity", { name })} .value=${String(layer.opacity)}
        @input=${(/** @type {any} */ event) => changeLayer(layer.key, { opacity: Number(event.target.value) })}>
      <button type="button" class="quiet small" aria-pressed=${solo.value === layer.key} aria-label=${t("only", { name })}
        title=${t("only", { name })} @click=${() => toggleSolo(layer)}>${t("onlyShort")}</button>
      <button type="button" class="quiet icon" aria-label=${t("up", { name })} title=${t("up", { name })} ?disabled=${place === 0}
        @click=${() => move(layer, 1)}>↑</button>
      <button type="button" class="quiet icon" aria-label=${t("down", { name })} title=${t("down", { name })} ?disabled=${place === n - 1}
        @click=${() => move(layer, -1)}>↓</button>
      <button type="button" class="quiet icon" aria-label=${t("remove", { name })} title=${t("remove", { name })}
        @click=${() => remove(layer)}>×</button>
    </div>
    ${layer.kind === "labels" ? legend(layer) : nothing}
    ${layer.kind === "depth" ? depthControls(layer) : nothing}
    ${layer.card === null && layer.kind === "mask" ? files(layer) : nothing}
    ${layer.kind === "labels"
      ? nothing // its legend says it all
      : html`<details><summary>${t("items")}</summary>${textTwin(layer)}</details>`}
  </li>`;
}

/** @param {boolean} isOpen */
function eye(isOpen) {
  const pupil = isOpen ? svg`<circle cx="10" cy="10" r="2.7" />` : svg`<path d="M3 17L17 3" />`;
  return html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d="M1.5 10C4 5.5 7 4 10 4s6 1.5 8.5 6c-2.5 4.5-5.5 6-8.5 6S4 14.5 1.5 10z" />${pupil}</svg>`;
}

/** @param {Layer} layer */
function nameButton(layer) {
  const name = nameOf(layer);
  if (renamed.value !== layer.key) {
    const parts = namePartsOf(layer);
    return html`<button type="button" class="quiet layer-name" title=${t("rename", { name })} @click=${() => edit(layer)}>${parts.kind}${parts.kind && parts.asked ? ": " : ""}<span translate="no">${parts.asked}</span></button>`;
  }
  return html`<input type="text" class="layer-name" aria-label=${t("name")} .value=${name}
    @change=${(/** @type {any} */ event) => rename(layer, event.target.value)}
    @blur=${(/** @type {any} */ event) => rename(layer, event.target.value)}
    @keydown=${(/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Escape") renamed.value = null;
      event.stopPropagation();
    }}>`;
}

/** @param {Layer} layer */
function edit(layer) {
  renamed.value = layer.key;
  const input = /** @type {HTMLInputElement | null} */ (document.querySelector("input.layer-name"));
  input?.select();
  input?.focus();
}

/** @param {Layer} layer */
function files(layer) {
  const name = `${(picture.value?.name ?? "image").replace(/\.\w+$/, "")}.${nameOf(layer).replace(/[^\p{L}\p{N}]+/gu, "-")}`;
  const coco = () => new Blob([JSON.stringify(maskCoco(layer))], { type: "application/json" });
  return html`<div class="layer-files">
    <button type="button" class="small" @click=${async () => saveFile(await maskPng(layer), `${name}.png`)}>PNG</button>
    <button type="button" class="small" @click=${() => saveFile(coco(), `${name}.coco.json`)}>COCO</button>
  </div>`;
}
