/** What is compared: two answers about the picture, A and B, how they are shown, and where. */

import { furtherOf, titleOf } from "./forms.js";
import { nameOf } from "./names.js";
import { cards, layers, picture, screen } from "./store.js";
import { objectsKey } from "./differences.js";
import { computed, signal } from "./vendor/signals-core.js";

/** @typedef {import("./store.js").Result} Result */
/** @typedef {"a" | "b"} SideName */
/** @typedef {"split" | "opacity" | "blink"} Mode */

/**
 * @typedef {object} Candidate A value that can be compared.
 * @property {string} key Of its card, or of a layer that was put together by hand.
 * @property {string} title
 * @property {string} task
 * @property {Result} result
 */

/** @typedef {Candidate & {side: SideName, least: number}} Side One of the two; its result has what reaches `least`. */

/** Keys that were chosen; null leaves the choice to the page. */
export const chosen = signal(/** @type {{a: string | null, b: string | null}} */ ({ a: null, b: null }));

/** Scores below these are left out, of both drawing and table. */
export const least = signal({ a: 0, b: 0 });

export const mode = signal(/** @type {Mode} */ ("split"));

/** Where A ends in the split, and how much of B is seen in the blend, 0 to 1. */
export const place = signal(0.5);

/** Which one is seen while blinking. */
export const front = signal(/** @type {SideName} */ ("a"));

/** What the table points at in the picture: boxes of an object. */
export const pointed = signal(/** @type {import("./differences.js").Xyxy[]} */ ([]));

/** What can be chosen, the newest first; the number counts from the oldest. */
export const candidates = computed(() => {
  /** @type {Candidate[]} */
  const found = [];
  for (const { key, question, result } of cards.value.toReversed()) {
    if (!result) continue;
    const title = [titleOf(question), ...furtherOf(question)].join(" · ");
    found.push({ key, title, task: question.task, result });
  }
  for (const layer of layers.value) {
    const { key, card, result } = layer;
    if (card === null) found.push({ key, title: nameOf(layer), task: result.task, result });
  }
  return found.map((one, index) => ({ ...one, title: `${index + 1}. ${one.title}` })).toReversed();
});

/** The two that are compared; null where there are not enough. */
export const sides = computed(() => {
  const all = candidates.value;
  const of = (/** @type {string | null} */ key) => all.find((one) => one.key === key);
  const b = of(chosen.value.b) ?? all[0];
  if (!b) return null;
  const others = all.filter((one) => one.key !== b.key);
  const a = of(chosen.value.a) ?? others.find((one) => one.result.type === b.result.type) ?? others[0] ?? b;
  return { a: side("a", a), b: side("b", b) };
});

/** @param {SideName} name @param {Candidate} candidate @returns {Side} */
function side(name, candidate) {
  const bound = least.value[name];
  return { ...candidate, side: name, least: bound, result: atLeast(candidate.result, bound) };
}

/** @param {Result} result @returns {boolean} Whether it has objects with scores. */
export function isScored(result) {
  const key = objectsKey(result);
  return key !== null && result[key].some((/** @type {any} */ item) => typeof item.score === "number");
}

/** Results with fewer objects, by their bounds: each is made once, as its pixels are loaded once. */
const bounded = /** @type {WeakMap<Result, Map<number, Result>>} */ (new WeakMap());

/** @param {Result} result @param {number} bound @returns {Result} */
function atLeast(result, bound) {
  const key = objectsKey(result);
  if (!key || bound <= 0 || !isScored(result)) return result;
  const known = bounded.get(result) ?? new Map();
  bounded.set(result, known);
  const kept = result[key].filter((/** @type {any} */ item) => (item.score ?? 1) >= bound);
  if (!known.has(bound)) known.set(bound, { ...result, [key]: kept });
  return known.get(bound);
}

/** @param {SideName} name @param {string} key */
export function choose(name, key) {
  chosen.value = { ...settled(), [name]: key };
}

export function swap() {
  const { a, b } = settled();
  chosen.value = { a: b, b: a };
  least.value = { a: least.value.b, b: least.value.a };
}

/** The keys that are shown now, so that choosing one leaves the other. */
function settled() {
  return { a: sides.value?.a.key ?? null, b: sides.value?.b.key ?? null };
}

/** Open the screen with a card as B, beside an older answer of its kind. @param {string} key */
export function compareWith(key) {
  const all = candidates.value;
  const at = all.findIndex((one) => one.key === key);
  const alike = (/** @type {Candidate} */ one) => one.key !== key && one.result.type === all[at].result.type;
  const other = at < 0 ? undefined : (all.slice(at + 1).find(alike) ?? all.find(alike));
  chosen.value = { a: other?.key ?? null, b: key };
  if (!picture.value) return;
  screen.value = "compare";
  document.getElementById("compare-b")?.focus(); // the button that was pressed is out of sight
}
