/**
 * The geometry of a distance map. The camera is a pinhole that looks at the middle of the picture: x to the right, y down,
 * z ahead. Points are in pixels of the picture, where the middle of the first pixel is (0.5, 0.5).
 */

/** @typedef {import("./store.js").Point} Point */
/** @typedef {{x: number, y: number, z: number}} Place A point in space. */

/**
 * @typedef {object} Depth
 * @property {Float32Array} values Distances along the line of sight's axis, row by row; 0 where there is none.
 * @property {number} width
 * @property {number} height
 * @property {"m" | "relative"} unit
 * @property {number | null} focalPx The focal length that made them metres; null where none was used.
 */

/** Share of the bilinear weight that pixels with a distance must hold, as in the package's decoder. */
const MAJORITY = 0.5;

const DIAGONAL_35MM = Math.hypot(36, 24);

/**
 * @param {Depth} depth
 * @param {Point} at
 * @returns {number | null} The distance of the pixel that holds a point; null outside, and where there is none.
 */
export function pixelDistance({ values, width, height }, { x, y }) {
  if (!(x >= 0 && y >= 0 && x < width && y < height)) return null;
  const z = values[Math.floor(y) * width + Math.floor(x)];
  return z > 0 ? z : null;
}

/**
 * Interpolate between the four pixels around a point. Those without a distance lend no weight, and where they weigh more
 * than half there is none.
 *
 * @param {Depth} depth
 * @param {Point} at
 * @returns {number | null} null outside of the picture too.
 */
export function distanceAt({ values, width, height }, { x, y }) {
  if (!(x >= 0 && y >= 0 && x <= width && y <= height)) return null;
  const [left, right, across] = neighbours(x, width);
  const [top, bottom, down] = neighbours(y, height);
  let sum = 0;
  let weight = 0;
  for (const [row, vertical] of [[top, 1 - down], [bottom, down]]) {
    for (const [column, horizontal] of [[left, 1 - across], [right, across]]) {
      const z = values[row * width + column];
      if (z > 0) {
        sum += z * vertical * horizontal;
        weight += vertical * horizontal;
      }
    }
  }
  return weight >= MAJORITY ? sum / weight : null;
}

/**
 * @param {number} at
 * @param {number} size
 * @returns {[low: number, high: number, share: number]} The pixels on both sides, and the weight of the second.
 */
function neighbours(at, size) {
  const centre = Math.min(Math.max(at - 0.5, 0), size - 1);
  const low = Math.min(Math.floor(centre), size - 1);
  return [low, Math.min(low + 1, size - 1), centre - low];
}

/**
 * @param {Depth} depth
 * @param {Point} at
 * @param {number} focalPx
 * @returns {Place | null} Where the point lies in space, in the unit of the distances.
 */
export function placeOf(depth, at, focalPx) {
  const z = distanceAt(depth, at);
  if (z === null) return null;
  return { x: ((at.x - depth.width / 2) / focalPx) * z, y: ((at.y - depth.height / 2) / focalPx) * z, z };
}

/**
 * @param {Place} from
 * @param {Place} to
 * @returns {number}
 */
export function lengthBetween(from, to) {
  return Math.hypot(to.x - from.x, to.y - from.y, to.z - from.z);
}

/**
 * What a length would be if the focal length were another.
 *
 * @param {Depth} depth
 * @param {Place} from
 * @param {Place} to
 * @param {number} factor The other focal length, as a multiple of the one that the places were computed with.
 * @returns {number}
 */
export function lengthAtFocal(depth, from, to, factor) {
  // Where the focal length made the distances metres, they grow with it and widths stay; else distances stay.
  const [sideways, ahead] = depth.focalPx === null ? [1 / factor, 1] : [1, factor];
  return Math.hypot((to.x - from.x) * sideways, (to.y - from.y) * sideways, (to.z - from.z) * ahead);
}

/**
 * @typedef {object} Step One point of a profile.
 * @property {Point} at
 * @property {number} along Pixels from the beginning of the line.
 * @property {number | null} z
 */

/**
 * @param {Depth} depth
 * @param {Point} from
 * @param {Point} to
 * @param {number} [most] Most points.
 * @returns {Step[]} Points at even steps of a pixel or more, both ends among them.
 */
export function profile(depth, from, to, most = 512) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const count = Math.max(2, Math.min(most, Math.ceil(length) + 1));
  return Array.from({ length: count }, (_, index) => {
    const share = index / (count - 1);
    const at = { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
    return { at, along: length * share, z: distanceAt(depth, at) };
  });
}

/**
 * @param {number} mm Focal length of a 35 mm camera with the same diagonal angle of view.
 * @param {number} width Of the picture.
 * @param {number} height
 * @returns {number} In pixels of the picture.
 */
export function focalFromEquivalent(mm, width, height) {
  return (mm / DIAGONAL_35MM) * Math.hypot(width, height);
}

/**
 * @param {number} px
 * @param {number} width
 * @param {number} height
 * @returns {number} In millimetres of a 35 mm camera with the same diagonal angle of view.
 */
export function equivalentFromFocal(px, width, height) {
  return (px * DIAGONAL_35MM) / Math.hypot(width, height);
}

/** Values that percentiles are taken of. */
const MOST_SAMPLES = 1 << 20;

/**
 * @typedef {object} Spread
 * @property {number} least Smallest distance.
 * @property {number} near 1st percentile.
 * @property {number} far 99th percentile.
 * @property {number} most Largest distance.
 * @property {Float32Array} sorted The distances that this is taken of: all, or of large maps an even part.
 */

/**
 * @param {Depth} depth
 * @returns {Spread | null} null where no pixel has a distance.
 */
export function spreadOf({ values }) {
  const step = Math.max(1, Math.ceil(values.length / MOST_SAMPLES));
  const taken = new Float32Array(Math.ceil(values.length / step));
  let count = 0;
  for (let index = 0; index < values.length; index += step) {
    if (values[index] > 0) taken[count++] = values[index];
  }
  if (!count) return null;
  const sorted = taken.subarray(0, count).sort();
  const at = (/** @type {number} */ share) => {
    const [low, high, weight] = neighbours(share * (sorted.length - 1) + 0.5, sorted.length);
    return sorted[low] + (sorted[high] - sorted[low]) * weight;
  };
  return { least: sorted[0], near: at(0.01), far: at(0.99), most: sorted[sorted.length - 1], sorted };
}

/**
 * @param {number} value
 * @returns {string} With three digits, or all of those before the point.
 */
export function threeDigits(value) {
  const size = Math.abs(value);
  return (size < 0.005 ? 0 : value).toFixed(size < 9.995 ? 2 : size < 99.95 ? 1 : 0); // no -0.00
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} most
 * @returns {number[]} Round numbers between the two, at even steps.
 */
export function evenTicks(low, high, most) {
  const rough = (high - low) / most;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

/**
 * @param {number} low
 * @param {number} high
 * @param {number} most
 * @returns {number[]} Round numbers between the two, at steps that grow.
 */
export function growingTicks(low, high, most) {
  for (const series of [[1, 2, 5], [1, 3], [1]]) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
      for (const first of series) found.push(Number((first * 10 ** power).toPrecision(3)));
    }
    const inside = found.filter((value) => value >= low && value <= high);
    if (inside.length >= 2 && inside.length <= most) return inside;
  }
  return evenTicks(low, high, most).slice(0, most);
}
