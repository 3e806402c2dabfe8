/** The middle of a card: what the model writes, and then the value in words. */

import { html, nothing } from "./vendor/lit-html.js";
import { cut, mark, markedText } from "./spans.js";
import { distancesOf, gistOf, itemsOf, notesOf } from "./values.js";
import { words } from "./words.js";

const t = words({
  items: ["What was found", "找到的内容"],
  issues: ["Issues", "瑕疵"],
  about: ["about", "涉及"],
  score: ["score", "分数"],
});

const LONGEST_QUOTE = 60;

/**
 * @param {import("./store.js").Card} card
 * @param {number | null} chosen The item that is marked.
 * @returns {unknown}
 */
export function answerOf({ key, result, text }, chosen) {
  if (!result) return text ? html`<p class="streaming" dir="auto" tabindex="0" translate="no">${text}</p>` : nothing;
  const items = itemsOf(result);
  return html`${valueOf(result)} ${itemList(key, items, chosen)} ${notes(result)} ${issueList(result)} ${rawOf(key, result, items, chosen)}`;
}

/** @param {import("./store.js").Result} result */
function valueOf(result) {
  switch (result.type) {
    case "Count":
      return html`<p class=${result.count === null ? "answer" : "large number"}>${gistOf(result)}</p>`;
    case "DepthMap":
      return html`<table class="distances"><tbody>
        ${distancesOf(result).map(([what, value]) => html`<tr><th scope="row">${what}</th><td class="number">${value}</td></tr>`)}
      </tbody></table>`;
  }
  return html`<p class="answer" dir="auto" translate=${["Text", "Action"].includes(result.type) ? "no" : nothing}>${gistOf(result)}</p>`;
}

/**
 * @param {string} key
 * @param {import("./values.js").Item[]} items
 * @param {number | null} chosen
 */
function itemList(key, items, chosen) {
  if (!items.length) return nothing;
  return html`<ul class="items" aria-label=${t("items")}>${items.map(
    ({ label, detail, score, share }, index) => html`<li class="item ${chosen === index ? "marked" : ""}" data-item=${index} tabindex="0"
      @pointerenter=${() => mark(key, index)} @pointerleave=${() => mark(key, null)}
      @focus=${() => mark(key, index)} @blur=${() => mark(key, null)}>
      <span class="item-label" dir="auto" translate="no">${label}</span>
      ${share === null ? nothing : html`<meter min="0" max="1" .value=${share} aria-hidden="true"></meter>`}
      <span class="dim">${detail}</span>
      ${score === null ? nothing : html`<span class="number score" title=${t("score")}><span class="unseen">${t("score")} </span>${score.toFixed(2)}</span>`}
    </li>`,
  )}</ul>`;
}

/** @param {import("./store.js").Result} result */
function notes(result) {
  const told = notesOf(result);
  return told.length ? html`<p class="dim">${told.join(" · ")}</p>` : nothing;
}

/** @param {import("./store.js").Result} result */
function issueList({ issues, raw }) {
  if (!issues.length) return nothing;
  const quoted = (/** @type {import("./store.js").Issue} */ { start, end }) => {
    const text = cut(raw, start, Math.min(end, start + LONGEST_QUOTE));
    return text ? html` ${t("about")} <q class="flaw" dir="auto" translate="no">${text}${end - start > LONGEST_QUOTE ? "…" : ""}</q>` : nothing;
  };
  return html`<div class="issues"><h4>${t("issues")}</h4><ul>${issues.map((issue) => html`<li><span translate="no">${issue.message}</span>${quoted(issue)}</li>`)}</ul></div>`;
}

/**
 * @param {string} key
 * @param {import("./store.js").Result} result
 * @param {import("./values.js").Item[]} items
 * @param {number | null} chosen
 */
function rawOf(key, result, items, chosen) {
  const isTold = ["Text", "Count"].includes(result.type) && gistOf(result) === result.raw;
  if (!result.raw || (isTold && !result.issues.length)) return nothing;
  return markedText(key, result.raw, countedSpans(result, items), result.issues, chosen);
}

/**
 * @param {import("./store.js").Result} result
 * @param {import("./values.js").Item[]} items
 */
function countedSpans(result, items) {
  const isPlainCount = result.type === "Count" && !items.length && result.spans;
  return isPlainCount ? [{ label: "", detail: "", score: null, share: null, spans: result.spans }] : items;
}
