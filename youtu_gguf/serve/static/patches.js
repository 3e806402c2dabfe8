/** Masks as patches: the pixels of a region's bounding box, so that a large picture can have many. */

/**
 * @typedef {object} Patch The pixels (1 inside, 0 outside, row by row) of a rectangle; all others are outside.
 * @property {number} x Left edge in the picture.
 * @property {number} y Top edge.
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array} bits
 * @property {number} area Pixels inside.
 */

/** @typedef {{size: [height: number, width: number], counts: string}} Rle COCO's compressed run lengths. */

const BITS = 5;
const MORE = 32;
const SIGN = 16;
const FIRST_CHARACTER = 48;

/**
 * Read run lengths as pycocotools writes them: down the columns, outside first; from the fourth on as differences to
 * the one two before; groups of 5 bits, the lowest first, a sixth says that more follow.
 *
 * Source: `rleFrString` of pycocotools (cocodataset/cocoapi, common/maskApi.c).
 *
 * @param {string} counts
 * @returns {number[]}
 */
function runsOf(counts) {
  /** @type {number[]} */
  const runs = [];
  for (let at = 0; at < counts.length; ) {
    let value = 0;
    let shift = 0;
    let group = MORE;
    while (group & MORE && at < counts.length) {
      group = counts.charCodeAt(at) - FIRST_CHARACTER;
      value |= (group & 31) << shift;
      shift += BITS;
      at += 1;
    }
    if (group & SIGN && shift < 32) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}

/**
 * @param {number[]} runs
 * @returns {string} As pycocotools writes them.
 */
function countsOf(runs) {
  let counts = "";
  for (let i = 0; i < runs.length; i += 1) {
    let left = i > 2 ? runs[i] - runs[i - 2] : runs[i];
    for (let more = true; more; ) {
      let group = left & 31;
      left >>= BITS;
      more = group & SIGN ? left !== -1 : left !== 0;
      if (more) group |= MORE;
      counts += String.fromCharCode(group + FIRST_CHARACTER);
    }
  }
  return counts;
}

/** @type {Patch} */
export const EMPTY = { x: 0, y: 0, width: 0, height: 0, bits: new Uint8Array(0), area: 0 };

/**
 * @param {Rle} rle
 * @returns {Patch}
 * @throws {Error} The runs are not as long as the picture.
 */
export function patchOfRle({ size: [height, width], counts }) {
  const runs = runsOf(counts);
  const total = runs.reduce((sum, run) => sum + run, 0);
  if (total !== width * height) throw new Error(`runs of ${width * height} pixels expected; got ${total}`);
  const box = boxOfRuns(runs, height);
  if (!box) return EMPTY;
  const patch = blank(box.left, box.top, box.right, box.bottom);
  let start = 0;
  runs.forEach((run, i) => {
    if (i % 2) fillRun(patch, start, run, height);
    start += run;
  });
  return patch;
}

/**
 * @param {number[]} runs
 * @param {number} height
 */
function boxOfRuns(runs, height) {
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
  let start = 0;
  runs.forEach((run, i) => {
    if (i % 2 && run > 0) {
      const [first, last] = [Math.floor(start / height), Math.floor((start + run - 1) / height)];
      left = Math.min(left, first);
      right = Math.max(right, last + 1);
      top = Math.min(top, first < last ? 0 : start % height);
      bottom = Math.max(bottom, first < last ? height : ((start + run - 1) % height) + 1);
    }
    start += run;
  });
  return right > left ? { left, top, right, bottom } : null;
}

/**
 * @param {Patch} patch
 * @param {number} start In column-major order over the picture.
 * @param {number} run
 * @param {number} height Of the picture.
 */
function fillRun(patch, start, run, height) {
  let x = Math.floor(start / height) - patch.x;
  let y = start - (x + patch.x) * height - patch.y;
  patch.area += run;
  for (let i = 0; i < run; i += 1, y += 1) {
    if (y + patch.y === height) {
      x += 1;
      y = -patch.y;
    }
    patch.bits[y * patch.width + x] = 1;
  }
}

/**
 * @param {Patch} patch
 * @param {number} width Of the picture.
 * @param {number} height
 * @returns {Rle}
 */
export function rleOfPatch(patch, width, height) {
  const runs = [];
  let [inside, began] = [0, 0];
  const change = (/** @type {number} */ at) => {
    runs.push(at - began);
    began = at;
    inside = 1 - inside;
  };
  for (let x = 0; x < patch.width; x += 1) {
    const column = (patch.x + x) * height + patch.y;
    if (inside && patch.y > 0) change(column - patch.y);
    for (let y = 0; y < patch.height; y += 1) {
      if (patch.bits[y * patch.width + x] !== inside) change(column + y);
    }
    if (inside && patch.y + patch.height < height) change(column + patch.height);
  }
  if (inside && patch.x + patch.width < width) change((patch.x + patch.width) * height);
  runs.push(width * height - began);
  return { size: [height, width], counts: countsOf(runs) };
}

/**
 * @param {number} left
 * @param {number} top
 * @param {number} right
 * @param {number} bottom
 * @returns {Patch} Without a pixel inside.
 */
function blank(left, top, right, bottom) {
  const [width, height] = [right - left, bottom - top];
  return { x: left, y: top, width, height, bits: new Uint8Array(width * height), area: 0 };
}

/**
 * @param {Patch} first
 * @param {Patch} second
 * @returns {Patch} What is in either.
 */
export function union(first, second) {
  if (!first.area || !second.area) return first.area ? first : second;
  const both = blank(
    Math.min(first.x, second.x),
    Math.min(first.y, second.y),
    Math.max(first.x + first.width, second.x + second.width),
    Math.max(first.y + first.height, second.y + second.height),
  );
  for (const patch of [first, second]) each(patch, (x, y) => put(both, x, y, 1));
  return both;
}

/**
 * @param {Patch} first
 * @param {Patch} second
 * @returns {Patch} What is in the first and not in the second.
 */
export function difference(first, second) {
  const left = { ...first, bits: first.bits.slice() };
  each(second, (x, y) => put(left, x, y, 0));
  return trimmed(left);
}

/**
 * @param {Patch} patch
 * @param {(x: number, y: number) => void} visit
 */
function each(patch, visit) {
  for (let y = 0, i = 0; y < patch.height; y += 1) {
    for (let x = 0; x < patch.width; x += 1, i += 1) if (patch.bits[i]) visit(patch.x + x, patch.y + y);
  }
}

/**
 * @param {Patch} patch
 * @param {number} x
 * @param {number} y
 * @param {0 | 1} bit
 */
function put(patch, x, y, bit) {
  if (x < patch.x || y < patch.y || x >= patch.x + patch.width || y >= patch.y + patch.height) return;
  const i = (y - patch.y) * patch.width + x - patch.x;
  patch.area += bit - patch.bits[i];
  patch.bits[i] = bit;
}

/**
 * @param {Patch} patch
 * @returns {Patch} The same pixels in the smallest rectangle.
 */
function trimmed(patch) {
  if (!patch.area) return EMPTY;
  let [left, top, right, bottom] = [Infinity, Infinity, 0, 0];
  each(patch, (x, y) => {
    left = Math.min(left, x);
    right = Math.max(right, x + 1);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y + 1);
  });
  const small = blank(left, top, right, bottom);
  each(patch, (x, y) => put(small, x, y, 1));
  return small;
}

/**
 * @param {Patch} patch
 * @param {number} x In the picture.
 * @param {number} y
 * @returns {boolean}
 */
export function isInside(patch, x, y) {
  const [column, row] = [Math.floor(x) - patch.x, Math.floor(y) - patch.y];
  if (column < 0 || row < 0 || column >= patch.width || row >= patch.height) return false;
  return patch.bits[row * patch.width + column] === 1;
}

/**
 * @param {Patch} patch
 * @param {number} width Of the picture.
 * @param {number} height
 * @returns {Uint8Array} The mask's pixels over the whole picture, row by row.
 */
export function whole(patch, width, height) {
  const bits = new Uint8Array(width * height);
  for (let y = 0; y < patch.height; y += 1) {
    const row = patch.bits.subarray(y * patch.width, (y + 1) * patch.width);
    bits.set(row, (patch.y + y) * width + patch.x);
  }
  return bits;
}
