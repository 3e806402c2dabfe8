/** An answer as the model wrote it, with marks on the words of each item and of each issue. */

import { html, nothing } from "./vendor/lit-html.js";
import { marked } from "./store.js";
import { words } from "./words.js";

const t = words({ raw: ["What the model wrote", "模型原文"] });

/**
 * @typedef {object} Segment A part of a text that belongs to the same items and issues throughout.
 * @property {string} text
 * @property {number[]} items Indices, the smallest span first.
 * @property {number[]} issues Indices.
 */

/**
 * Cut a text where spans begin and end.
 *
 * @param {string} raw
 * @param {import("./values.js").Spans[]} itemSpans Of each item; offsets count characters (code points).
 * @param {{start: number, end: number}[]} issues
 * @returns {Segment[]} All of the text, in order.
 */
export function segmentsOf(raw, itemSpans, issues) {
  const characters = Array.from(raw);
  const spans = itemSpans.flatMap((own, index) => own.map(([start, end]) => ({ start, end, index })));
  spans.sort((a, b) => a.end - a.start - (b.end - b.start));
  const ends = [...spans, ...issues].flatMap(({ start, end }) => [start, end]).filter((at) => at > 0 && at < characters.length);
  const cuts = [...new Set([0, ...ends, characters.length])].sort((a, b) => a - b);
  const segments = [];
  for (let i = 0; i + 1 < cuts.length; i += 1) {
    const [start, end] = [cuts[i], cuts[i + 1]];
    const covers = (/** @type {{start: number, end: number}} */ span) => span.start <= start && span.end >= end;
    segments.push({
      text: characters.slice(start, end).join(""),
      items: [...new Set(spans.filter(covers).map(({ index }) => index))],
      issues: issues.flatMap((issue, index) => (covers(issue) ? [index] : [])),
    });
  }
  return segments;
}

/**
 * @param {string} raw
 * @param {number} start
 * @param {number} end
 * @returns {string} The characters (code points) from `start` to `end`.
 */
export const cut = (raw, start, end) => Array.from(raw).slice(start, end).join("");

/**
 * Mark an item, in the words and in the picture; null unmarks it.
 *
 * @param {string} card
 * @param {number | null} item
 */
export function mark(card, item) {
  if (item !== null) marked.value = { card, item };
  else if (marked.value?.card === card) marked.value = null;
}

/**
 * @param {string} card
 * @param {string} raw
 * @param {import("./values.js").Item[]} items
 * @param {import("./store.js").Issue[]} issues
 * @param {number | null} chosen The item that is marked.
 * @returns {unknown}
 */
export function markedText(card, raw, items, issues, chosen) {
  const seen = new Set();
  const parts = segmentsOf(raw, items.map(({ spans }) => spans), issues).map((segment) => {
    const { text, items: own } = segment;
    const isFlawed = segment.issues.length > 0;
    if (!own.length) return isFlawed ? html`<span class="flaw">${text}</span>` : text;
    const isFirst = own.some((index) => !seen.has(index)); // one stop of the tab key for each item
    for (const index of own) seen.add(index);
    const isMarked = chosen !== null && own.includes(chosen);
    const target = own.find((index) => index === chosen) ?? own[0];
    return html`<mark class="word ${isMarked ? "marked" : ""} ${isFlawed ? "flaw" : ""}" tabindex=${isFirst ? "0" : "-1"}
      @pointerenter=${() => mark(card, target)} @pointerleave=${() => mark(card, null)}
      @focus=${() => mark(card, target)} @blur=${() => mark(card, null)}>${text}</mark>`;
  });
  return html`<details class="raw" open><summary>${t("raw")}</summary><p class="raw-text" translate="no" tabindex=${seen.size ? nothing : "0"}>${parts}</p></details>`;
}
