/** The screen that compares two answers about the picture. */

import { html, nothing } from "./vendor/lit-html.js";
import { candidates, choose, front, isScored, least, mode, place, sides, swap } from "./comparing.js";
import { differenceTable } from "./compare-table.js";
import { blinking, compared, compareStage, failure, sharedLook, turn } from "./compare-view.js";
import { shortcut } from "./keys.js";
import { picture, screen } from "./store.js";
import { language, words } from "./words.js";

export { compareWith } from "./comparing.js";

/** @typedef {import("./comparing.js").SideName} SideName */
/** @typedef {import("./comparing.js").Mode} Mode */

const t = words({
  title: ["Compare two answers", "比较两个回答"],
  open: ["Compare answers", "比较回答"],
  empty: ["Nothing to compare yet: ask about the picture first, twice with other words or at another zoom.", "还没有可比较的内容：请先对图像提问，例如换一种说法或换一个缩放再问一次。"],
  single: ["There is one answer only. It is compared with itself: choose a least score for one side, or ask once more.", "只有一个回答，它与自身比较：可为其中一侧设定最低分数，或再问一次。"],
  least: ["Least score of {name}", "{name} 的最低分数"],
  swap: ["Swap A and B", "交换 A 和 B"],
  how: ["View", "查看方式"],
  split: ["Split", "分割"],
  opacity: ["Blend", "混合"],
  blink: ["Blink", "闪烁"],
  place: ["Where A ends and B begins", "A 与 B 的分界"],
  mix: ["How much of B is seen", "B 的可见程度"],
  pause: ["Pause", "暂停"],
  play: ["Blink by itself", "自动闪烁"],
  other: ["Show {name}", "显示 {name}"],
});

const MODES = /** @type {Mode[]} */ (["split", "opacity", "blink"]);
const STEP = 0.01;
const LARGE_STEP = 0.1;

shortcut("c", () => t("open"), () => (screen.value = "compare"), () => picture.value !== null);
for (const [key, sign] of /** @type {[string, number][]} */ ([["ArrowLeft", -1], ["ArrowRight", 1]])) {
  shortcut(
    key,
    () => t("place"),
    ({ shiftKey }) => (place.value = Math.min(1, Math.max(0, place.value + sign * (shiftKey ? LARGE_STEP : STEP)))),
    () => screen.value === "compare" && mode.value !== "blink",
  );
}

/** @param {SideName} name */
function chooser(name) {
  const side = /** @type {NonNullable<typeof sides.value>} */ (sides.value)[name];
  const original = candidates.value.find((one) => one.key === side.key);
  return html`<div class="chooser">
    <label for=${`compare-${name}`}><span class="side-name ${name}" translate="no">${name.toUpperCase()}</span></label>
    <select id=${`compare-${name}`} translate="no" .value=${side.key}
      @change=${(/** @type {any} */ event) => choose(name, event.target.value)}>
      ${candidates.value.map((one) => html`<option value=${one.key} ?selected=${one.key === side.key}>${one.title}</option>`)}
    </select>
    ${original && isScored(original.result)
      ? html`<label class="least dim">${t("least", { name: name.toUpperCase() })}
          <input type="number" min="0" max="1" step="0.05" .value=${String(least.value[name])}
            @input=${(/** @type {any} */ event) => (least.value = { ...least.value, [name]: Number(event.target.value) || 0 })}>
        </label>`
      : nothing}
  </div>`;
}

/** @returns {unknown} */
function viewControls() {
  return html`<div class="view-controls">
    <span role="group" aria-label=${t("how")} class="modes">
      ${MODES.map((name) => html`<button type="button" class="chip" aria-pressed=${mode.value === name}
        @click=${() => (mode.value = name)}>${t(name)}</button>`)}
    </span>
    ${mode.value === "blink" ? blinkControls() : slider()}
  </div>`;
}

function slider() {
  const label = t(mode.value === "split" ? "place" : "mix");
  return html`<label class="slider"><span class="unseen">${label}</span>
    <input type="range" min="0" max="100" step="1" title=${label} .value=${String(Math.round(100 * place.value))}
      aria-valuetext=${`${Math.round(100 * place.value)} %`}
      @input=${(/** @type {any} */ event) => (place.value = event.target.valueAsNumber / 100)}>
  </label>`;
}

function blinkControls() {
  const next = front.value === "a" ? "B" : "A";
  return html`<span class="modes">
    <button type="button" aria-pressed=${blinking.value} @click=${() => (blinking.value = !blinking.value)}>${t(blinking.value ? "pause" : "play")}</button>
    <button type="button" @click=${() => ((blinking.value = false), turn())}>${t("other", { name: next })}</button>
  </span>`;
}

/** @type {{of: unknown[], table: unknown}} The differences, which are worked out only when they change. */
let known = { of: [], table: nothing };

/** @param {import("./compare-table.js").Pictured} found */
function differences(found) {
  const look = sharedLook(found);
  const of = [found.a.result, found.b.result, found.layers.a, found.layers.b, found.loaded, look?.near, look?.far, language.value];
  if (of.some((value, index) => value !== known.of[index])) known = { of, table: differenceTable(found) };
  return known.table;
}

/** @returns {unknown} */
export function compareScreen() {
  if (screen.value !== "compare") return nothing;
  const found = compared();
  if (!found) return html`<div class="screen-body"><h1>${t("title")}</h1><p class="dim">${t("empty")}</p></div>`;
  const isPictured = found.layers.a !== null || found.layers.b !== null;
  return html`<div class="screen-body comparison">
    <h1>${t("title")}</h1>
    ${candidates.value.length < 2 ? html`<p class="dim">${t("single")}</p>` : nothing}
    <div class="choosers">${chooser("a")}<button type="button" class="quiet" title=${t("swap")} aria-label=${t("swap")} @click=${swap}>⇄</button>${chooser("b")}</div>
    ${isPictured ? html`<div class="side-by-side">${viewControls()}${compareStage()}</div>` : nothing}
    ${failure.value
      ? html`<p class="failure" role="alert" translate="no">${failure.value.message}</p>`
      : html`<div class="panel differences" role="region" aria-labelledby="compare-differences" tabindex="0">${differences(found)}</div>`}
  </div>`;
}
