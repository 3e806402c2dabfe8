/** What two results of one picture have in common: boxes, masks, classes, distances, words. Pure; no signals, no page. */

/** @typedef {[left: number, top: number, right: number, bottom: number]} Xyxy */
/** @typedef {{label: string, xyxy: Xyxy | null, score: number | null}} Item An object, wherever it is from. */
/** @typedef {{a: number, b: number, iou: number}} Pair Places of two items that are one object. */
/** @typedef {{pairs: Pair[], onlyA: number[], onlyB: number[]}} Matches */
/** @typedef {{kind: "same" | "a" | "b", text: string}} Run */

/** Overlap from which on two boxes are one object. */
export const LEAST_IOU = 0.5;

/** Pixels of a depth map that are looked at: more change a median by less than is shown. */
const MOST_SAMPLES = 250_000;

/** Cells of a table of words; longer texts are compared by sentences. */
const MOST_CELLS = 4_000_000;

/**
 * @param {Xyxy} a
 * @param {Xyxy} b
 * @returns {number} Intersection over union, 0 where both have no area.
 */
export function boxIou(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const both = Math.max(0, width) * Math.max(0, height);
  const either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0;
}

/** @param {Xyxy} box */
const area = (box) => (box[2] - box[0]) * (box[3] - box[1]);

/** @param {import("./store.js").Result} result @returns {string | null} The key that its objects stand under. */
export function objectsKey(result) {
  const keys = { Boxes: "boxes", Count: "boxes", Polygons: "polygons", Poses: "persons", Instances: "instances" };
  const key = keys[/** @type {keyof typeof keys} */ (result.type)] ?? null;
  return key && result[key] ? key : null;
}

/**
 * @param {import("./store.js").Result} result
 * @returns {Item[]} Its objects; none where it has no boxes, outlines, persons or instances.
 */
export function objectsOf(result) {
  const key = objectsKey(result);
  return (key ? result[key] : []).map((/** @type {any} */ item) => ({
    label: item.label ?? "",
    score: item.score ?? null,
    xyxy: boxOf(item),
  }));
}

/** @param {any} item @returns {Xyxy | null} */
function boxOf(item) {
  if (item.xyxy && item.xyxy.every((/** @type {unknown} */ value) => value !== null)) return item.xyxy;
  const points = item.parts ? item.parts.flat() : (item.xyv ?? []).filter((/** @type {any} */ joint) => joint[2] !== 0);
  if (!points.length) return null;
  const [xs, ys] = [0, 1].map((axis) => points.map((/** @type {number[]} */ point) => point[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/**
 * Pair the items of two results, those that overlap most first; of equal overlaps, those with one label.
 *
 * @param {Item[]} a
 * @param {Item[]} b
 * @param {number} [least]
 * @returns {Matches} Pairs in the order of `a`.
 */
export function matchItems(a, b, least = LEAST_IOU) {
  /** @type {(Pair & {alike: boolean})[]} */
  const candidates = [];
  a.forEach((one, i) =>
    b.forEach((other, j) => {
      const iou = one.xyxy && other.xyxy ? boxIou(one.xyxy, other.xyxy) : 0;
      if (iou >= least) candidates.push({ a: i, b: j, iou, alike: one.label === other.label });
    }),
  );
  candidates.sort((one, other) => other.iou - one.iou || Number(other.alike) - Number(one.alike));
  const [takenA, takenB] = [new Set(), new Set()];
  /** @type {Pair[]} */
  const pairs = [];
  for (const { a: i, b: j, iou } of candidates) {
    if (takenA.has(i) || takenB.has(j)) continue;
    takenA.add(i);
    takenB.add(j);
    pairs.push({ a: i, b: j, iou });
  }
  pairs.sort((one, other) => one.a - other.a);
  const left = (/** @type {Item[]} */ items, /** @type {Set<number>} */ taken) =>
    [...items.keys()].filter((index) => !taken.has(index));
  return { pairs, onlyA: left(a, takenA), onlyB: left(b, takenB) };
}

/**
 * @param {import("./patches.js").Patch} a
 * @param {import("./patches.js").Patch} b
 * @returns {{both: number, onlyA: number, onlyB: number, iou: number | null}} Pixels; no IoU where both are empty.
 */
export function maskDifference(a, b) {
  const [left, right] = [Math.max(a.x, b.x), Math.min(a.x + a.width, b.x + b.width)];
  const bottom = Math.min(a.y + a.height, b.y + b.height);
  let both = 0;
  for (let y = Math.max(a.y, b.y); y < bottom; y += 1) {
    const [rowA, rowB] = [(y - a.y) * a.width - a.x, (y - b.y) * b.width - b.x];
    for (let x = left; x < right; x += 1) both += a.bits[rowA + x] & b.bits[rowB + x];
  }
  const either = a.area + b.area - both;
  return { both, onlyA: a.area - both, onlyB: b.area - both, iou: either ? both / either : null };
}

/**
 * @param {Record<string, number>} a Share of the pixels by class.
 * @param {Record<string, number>} b
 * @returns {{name: string | null, a: number, b: number}[]} Every class of either, and null: pixels of none.
 */
export function shareDifferences(a, b) {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  const rows = names.map((name) => ({ name, a: a[name] ?? 0, b: b[name] ?? 0 }));
  const rest = (/** @type {Record<string, number>} */ shares) => 1 - Object.values(shares).reduce((sum, share) => sum + share, 0);
  const [restA, restB] = [rest(a), rest(b)];
  const none = 5e-4 * (names.length + 1); // shares are rounded to four places
  return Math.max(restA, restB) > none ? [...rows, { name: null, a: Math.max(0, restA), b: Math.max(0, restB) }] : rows;
}

/** @typedef {{ids: ArrayLike<number>, background: number, classes: string[]}} Classes The class of each pixel. */

/**
 * @param {Classes} a
 * @param {Classes} b
 * @returns {number | null} Share of the pixels that have one class in both, by name; null for different sizes.
 */
export function labelAgreement(a, b) {
  if (a.ids.length !== b.ids.length || !a.ids.length) return null;
  const toA = new Int32Array(Math.max(b.background, b.classes.length) + 1).fill(-2); // as no class of `a`
  b.classes.forEach((name, id) => {
    const same = a.classes.indexOf(name);
    if (same >= 0) toA[id] = same;
  });
  toA[b.background] = a.background;
  let alike = 0;
  for (let i = 0; i < a.ids.length; i += 1) alike += Number(a.ids[i] === toA[b.ids[i]]);
  return alike / a.ids.length;
}

/**
 * @typedef {object} DepthDifference
 * @property {"m" | "relative"} unit "m" only where both are in metres.
 * @property {number} n Pixels that were looked at, valid in both.
 * @property {number} median Of b - a, in metres; where relative, of b / a.
 * @property {number} spread Median of |b - a|, in metres; where relative, of |b / (a * median) - 1|.
 */

/**
 * @param {{values: Float32Array, unit: string}} a 0 where invalid.
 * @param {{values: Float32Array, unit: string}} b
 * @returns {DepthDifference | null} null for different sizes, or without a pixel that is valid in both.
 */
export function depthDifference(a, b) {
  if (a.values.length !== b.values.length) return null;
  const step = Math.ceil(a.values.length / MOST_SAMPLES);
  const unit = a.unit === "m" && b.unit === "m" ? "m" : "relative";
  const found = [];
  for (let i = Math.floor(step / 2); i < a.values.length; i += step) {
    const [near, far] = [a.values[i], b.values[i]];
    if (near > 0 && far > 0) found.push(unit === "m" ? far - near : far / near);
  }
  if (!found.length) return null;
  const median = medianOf(found);
  const spread = medianOf(found.map((value) => (unit === "m" ? Math.abs(value) : Math.abs(value / median - 1))));
  return { unit, n: found.length, median, spread };
}

/** @param {number[]} values @returns {number} */
function medianOf(values) {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * @param {string} a
 * @param {string} b
 * @returns {Run[]} What both texts say, and what only one of them does, in order; joined, they give either text.
 */
export function wordDiff(a, b) {
  let [before, after] = [piecesOf(a, "word"), piecesOf(b, "word")];
  if (before.length * after.length > MOST_CELLS) [before, after] = [piecesOf(a, "sentence"), piecesOf(b, "sentence")];
  if (before.length * after.length > MOST_CELLS) [before, after] = [[a], [b]];
  /** @type {Run[]} */
  const runs = [];
  const add = (/** @type {Run["kind"]} */ kind, /** @type {string} */ text) => {
    const last = runs.at(-1);
    if (last?.kind === kind) last.text += text;
    else runs.push({ kind, text });
  };
  const lengths = commonLengths(before, after);
  const columns = after.length + 1;
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      add("same", before[i]);
      i += 1;
      j += 1;
    } else if (j >= after.length || (i < before.length && lengths[(i + 1) * columns + j] >= lengths[i * columns + j + 1])) {
      add("a", before[i]);
      i += 1;
    } else {
      add("b", after[j]);
      j += 1;
    }
  }
  return runs;
}

/** @param {string} text @param {"word" | "sentence"} granularity @returns {string[]} */
function piecesOf(text, granularity) {
  return Array.from(new Intl.Segmenter(undefined, { granularity }).segment(text), (piece) => piece.segment);
}

/**
 * @param {string[]} a
 * @param {string[]} b
 * @returns {Uint32Array} (a.length + 1) rows: the longest common sequence of what follows in both.
 */
function commonLengths(a, b) {
  const columns = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * columns);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const at = i * columns + j;
      lengths[at] = a[i] === b[j] ? lengths[at + columns + 1] + 1 : Math.max(lengths[at + columns], lengths[at + 1]);
    }
  }
  return lengths;
}
