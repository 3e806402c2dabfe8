/** The focal length of a picture: where it is known from, and where the user gives it. */

import { picture } from "./store.js";
import { equivalentFromFocal, focalFromEquivalent } from "./space.js";
import { html, nothing } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  focal: ["Focal length", "焦距"],
  unit: ["Unit of the focal length", "焦距单位"],
  mm: ["mm (35 mm equivalent)", "毫米（35 mm 等效）"],
  px: ["pixels of the picture", "图像像素"],
  use: ["Use", "使用"],
  guess: ["Guess: a phone's main camera (26 mm)", "估计：手机主摄（26 mm）"],
  exif: ["{px} px ({mm} mm), known from EXIF data", "{px} 像素（{mm} 毫米），来自 EXIF 数据"],
  given: ["{px} px ({mm} mm), given by you", "{px} 像素（{mm} 毫米），由你给出"],
  guessed: ["{px} px ({mm} mm), guessed", "{px} 像素（{mm} 毫米），估计值"],
  unknown: ["unknown", "未知"],
  again: ["Use the {px} px that are known", "使用已知的 {px} 像素"],
  meaning: [
    "The picture does not say which lens took it. Most phones' main cameras are close to this guess; every length is as uncertain as the guess is.",
    "图像没有说明所用镜头。多数手机主摄与此估计接近；每个长度的不确定程度与该估计相同。",
  ],
  wrong: ["A focal length is a number above 0: 26 mm is common for phones.", "焦距须为大于 0 的数：手机常见 26 mm。"],
});

/** @typedef {"exif" | "given" | "guessed"} FocalSource */
/** @typedef {{px: number, source: FocalSource}} Focal In pixels of the picture. */

/** Of phones' main cameras, in 35 mm equivalent; and what lenses in use rarely go beyond. */
const GUESS_MM = 26;
export const GUESS_FROM_MM = 20;
export const GUESS_TO_MM = 35;

/** How far a focal length that was asked with may be from the one that was said. */
const ROUNDED_PX = 0.06;

const KEPT = "youtu-focal";
const MOST_KEPT = 200;

/** What users said of pictures, by the picture's id. */
const said = signal(/** @type {ReadonlyMap<string, Focal>} */ (new Map(kept())));

/** @returns {[string, Focal][]} */
function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return []; // storage is turned off
  }
}

/**
 * Remember the focal length of the present picture.
 *
 * @param {Focal} focal
 */
export function sayFocal(focal) {
  const id = picture.value?.id;
  if (!id) return;
  const next = new Map(said.value);
  next.delete(id);
  next.set(id, focal);
  said.value = next;
  try {
    localStorage.setItem(KEPT, JSON.stringify([...next].slice(-MOST_KEPT)));
  } catch {
    // it lasts as long as the page
  }
}

/** @returns {Focal | null} What the user said of the present picture, else what its EXIF data say. */
export function knownFocal() {
  const shown = picture.value;
  if (!shown) return null;
  const own = shown.id ? said.value.get(shown.id) : undefined;
  return own ?? (shown.focalPx ? { px: shown.focalPx, source: "exif" } : null);
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {Focal} That of a phone's main camera.
 */
export function guessedFocal(width, height) {
  return { px: focalFromEquivalent(GUESS_MM, width, height), source: "guessed" };
}

/**
 * @param {Focal} focal
 * @returns {string} As the server takes it for files, which state where it is from.
 */
export function askedFocal(focal) {
  return focal.source === "guessed" ? "assumed" : String(focal.px);
}

/**
 * @param {import("./space.js").Depth} depth
 * @returns {Focal | null} The one to compute with: null where the distances are relative.
 */
export function focalFor(depth) {
  if (depth.unit !== "m") return null;
  const known = knownFocal();
  if (depth.focalPx === null) return known ?? guessedFocal(depth.width, depth.height);
  // The distances hold for the one that they were made with, whatever was said since.
  if (known && isSame(known.px, depth.focalPx)) return { ...known, px: depth.focalPx };
  const isOwn = isSame(picture.value?.focalPx ?? 0, depth.focalPx);
  return { px: depth.focalPx, source: isOwn ? "exif" : "given" };
}

/**
 * @param {number} one
 * @param {number} other
 */
function isSame(one, other) {
  return Math.abs(one - other) <= ROUNDED_PX;
}

/** What stands in the field. */
const typed = signal("");
const unit = signal(/** @type {"mm" | "px"} */ ("mm"));
const isWrong = signal(false);

/**
 * @param {Focal | null} focal The one in use.
 * @param {{width: number, height: number}} size Of the picture.
 * @param {(focal: Focal) => void} onSaid
 * @returns {unknown} What is known, and a field to say otherwise.
 */
export function focalForm(focal, { width, height }, onSaid) {
  const use = (/** @type {Event} */ event) => {
    event.preventDefault();
    const number = Number(typed.value.replace(",", "."));
    const px = unit.value === "px" ? number : focalFromEquivalent(number, width, height);
    isWrong.value = !(px > 0 && px <= 1e6);
    if (!isWrong.value) onSaid({ px, source: "given" });
  };
  const known = knownFocal();
  return html`<details class="focal" ?open=${!focal}>
    <summary>${t("focal")}: ${focal ? t(focal.source, wordsOf(focal.px, width, height)) : t("unknown")}</summary>
    <form @submit=${use}>
    <span class="focal-fields">
      <input type="text" inputmode="decimal" size="6" aria-label=${t("focal")} aria-invalid=${isWrong.value ? "true" : nothing}
        .value=${typed.value} @input=${(/** @type {any} */ event) => (typed.value = event.target.value)} />
      <select aria-label=${t("unit")} @change=${(/** @type {any} */ event) => (unit.value = event.target.value)}>
        <option value="mm" ?selected=${unit.value === "mm"}>${t("mm")}</option>
        <option value="px" ?selected=${unit.value === "px"}>${t("px")}</option>
      </select>
      <button type="submit">${t("use")}</button>
    </span>
    ${isWrong.value ? html`<p class="bad" role="alert">${t("wrong")}</p>` : nothing}
    ${focal?.source === "guessed" ? html`<p class="dim">${t("meaning")}</p>` : nothing}
    ${known && !isSame(known.px, focal?.px ?? 0)
      ? html`<button type="button" @click=${() => onSaid(known)}>${t("again", { px: Math.round(known.px) })}</button>`
      : nothing}
    ${focal ? nothing : html`<button type="button" @click=${() => onSaid(guessedFocal(width, height))}>${t("guess")}</button>`}
    </form>
  </details>`;
}

/**
 * @param {number} px
 * @param {number} width
 * @param {number} height
 */
function wordsOf(px, width, height) {
  return { px: Math.round(px), mm: equivalentFromFocal(px, width, height).toFixed(0) };
}
