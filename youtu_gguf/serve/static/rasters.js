/** Paints masks and label maps at the resolution of the canvas: exact at every zoom, and no larger than what is seen. */

import { cardOf, itemsOf } from "./items.js";
import { idsOf } from "./labels.js";
import { lookOf } from "./legend.js";
import { isDark, PATTERNS, rgbOf } from "./palette.js";
import { marked } from "./store.js";

/** @typedef {import("./shapes.js").Frame} Frame */

const DIMMED = 0.3; // share of the opacity of classes beside one that is marked
const PATTERN_SHADE = 0.45;
const LINE_PX = 1.5;

const canvas = new OffscreenCanvas(1, 1);

/**
 * Find the pixels of the canvas that a rectangle of the picture covers, and for each column and row of them that of the
 * picture.
 *
 * @param {Frame} frame
 * @param {{x: number, y: number, width: number, height: number}} area In the picture.
 * @param {number} margin Pixels of the canvas around it.
 */
function seen(frame, area, margin) {
  const span = (/** @type {number} */ offset, /** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ most) => {
    const start = Math.max(0, Math.ceil(from * frame.scale + offset - 0.5) - margin); // by the pixels' middles
    const end = Math.min(most, Math.ceil(to * frame.scale + offset - 0.5) + margin);
    const found = new Int32Array(Math.max(0, end - start));
    for (let i = 0; i < found.length; i += 1) found[i] = Math.floor((start + i + 0.5 - offset) / frame.scale);
    return { start, found };
  };
  const columns = span(frame.dx, area.x, area.x + area.width, frame.width);
  const rows = span(frame.dy, area.y, area.y + area.height, frame.height);
  return { left: columns.start, top: rows.start, columns: columns.found, rows: rows.found };
}

/**
 * @param {import("./palette.js").Rgb} rgb
 * @param {number} alpha 0 to 1.
 * @returns {number} As an `ImageData` has it, read in 32 bits.
 */
function packed([red, green, blue], alpha) {
  return ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Uint32Array} pixels
 * @param {number} width
 * @param {number} left
 * @param {number} top
 */
function put(context, pixels, width, left, top) {
  const height = pixels.length / width;
  if (canvas.width < width || canvas.height < height) {
    canvas.width = Math.max(canvas.width, width);
    canvas.height = Math.max(canvas.height, height);
  }
  const between = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  between.putImageData(new ImageData(new Uint8ClampedArray(/** @type {ArrayBuffer} */ (pixels.buffer)), width), 0, 0);
  context.drawImage(canvas, 0, 0, width, height, left, top, width, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./store.js").Layer} layer A label map.
 * @param {Frame} frame
 */
export function paintLabels(context, layer, frame) {
  const map = idsOf(layer);
  if (!map) return;
  const { left, top, columns, rows } = seen(frame, { x: 0, y: 0, width: map.width, height: map.height }, 0);
  const inside = (/** @type {Int32Array} */ found, /** @type {number} */ most) =>
    found.forEach((value, i) => (found[i] = Math.min(most - 1, Math.max(0, value))));
  inside(columns, map.width);
  inside(rows, map.height);
  const [width, height] = [columns.length, rows.length];
  if (!width || !height) return;
  const tables = coloursOf(layer, map.background, frame);
  const { patterned } = lookOf(layer);
  const pixels = new Uint32Array(width * height);
  for (let y = 0, at = 0; y < height; y += 1) {
    const row = rows[y] * map.width;
    for (let x = 0; x < width; x += 1, at += 1) {
      const id = map.ids[row + columns[x]];
      const dark = patterned && isDark(id % PATTERNS, left + x, top + y);
      pixels[at] = (dark ? tables.dark : tables.plain)[id];
    }
  }
  put(context, pixels, width, left, top);
}

/**
 * @param {import("./store.js").Layer} layer
 * @param {number} background
 * @param {Frame} frame
 */
function coloursOf(layer, background, frame) {
  const plain = new Uint32Array(background + 1);
  const dark = new Uint32Array(background + 1);
  const { only } = lookOf(layer);
  const mark = frame.still ? null : marked.value;
  itemsOf(layer).forEach((_, i) => {
    if (only !== null && only !== i) return;
    const isBeside = mark?.card === cardOf(layer) && mark.item !== i;
    const alpha = layer.opacity * (isBeside ? DIMMED : 1);
    const rgb = rgbOf(i);
    plain[i] = packed(rgb, alpha);
    dark[i] = packed([rgb[0] * PATTERN_SHADE, rgb[1] * PATTERN_SHADE, rgb[2] * PATTERN_SHADE], alpha);
  });
  return { plain, dark };
}

/** @typedef {{patch: import("./patches.js").Patch, rgb: import("./palette.js").Rgb, strong: boolean}} Tinted */

/**
 * Paint masks, the later above the earlier: tinted, with an outline in their colour and a dark one around that, which
 * shows on any picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Tinted[]} masks Those that are marked are `strong`.
 * @param {number} alpha Of the tint.
 * @param {Frame} frame
 */
export function paintPatches(context, masks, alpha, frame) {
  const filled = masks.filter(({ patch }) => patch.area);
  if (!filled.length) return;
  const line = Math.max(1, Math.round(LINE_PX * (frame.unit ?? 1)));
  const area = seen(frame, extentOf(filled), 4 * line);
  const [width, height] = [area.columns.length, area.rows.length];
  if (!width || !height) return;
  const pixels = new Uint32Array(width * height);
  for (const one of filled) tint(pixels, area, one, alpha, one.strong ? 2 * line : line, frame);
  put(context, pixels, width, area.left, area.top);
}

/**
 * @param {Tinted[]} masks
 * @returns {{x: number, y: number, width: number, height: number}} The rectangle around all of them.
 */
function extentOf(masks) {
  const x = Math.min(...masks.map(({ patch }) => patch.x));
  const y = Math.min(...masks.map(({ patch }) => patch.y));
  const right = Math.max(...masks.map(({ patch }) => patch.x + patch.width));
  const bottom = Math.max(...masks.map(({ patch }) => patch.y + patch.height));
  return { x, y, width: right - x, height: bottom - y };
}

/**
 * @param {Uint32Array} pixels Of the whole area, row by row.
 * @param {ReturnType<typeof seen>} area
 * @param {Tinted} mask
 * @param {number} alpha
 * @param {number} line Width of the outline.
 * @param {Frame} frame
 */
function tint(pixels, area, { patch, rgb, strong }, alpha, line, frame) {
  const { left, top, columns, rows } = seen(frame, patch, 2 * line);
  const [width, height] = [columns.length, rows.length];
  const bits = sampled(patch, columns, rows);
  const fill = packed(rgb, Math.min(1, alpha + (strong ? 0.2 : 0)));
  const edge = packed(rgb, Math.min(1, alpha + 0.5));
  const around = packed([0, 0, 0], 0.55);
  for (let y = 0, at = 0; y < height; y += 1) {
    const up = Math.max(0, y - line) * width;
    const down = Math.min(height - 1, y + line) * width;
    const start = (top + y - area.top) * area.columns.length + left - area.left;
    for (let x = 0; x < width; x += 1, at += 1) {
      const near = bits[up + x] + bits[down + x] + bits[at - Math.min(x, line)] + bits[at + Math.min(width - 1 - x, line)];
      if (bits[at]) pixels[start + x] = near === 4 ? fill : edge;
      else if (near) pixels[start + x] = around;
    }
  }
}

/**
 * @param {import("./patches.js").Patch} patch
 * @param {Int32Array} columns Of the picture.
 * @param {Int32Array} rows
 * @returns {Uint8Array} 1 inside.
 */
function sampled(patch, columns, rows) {
  const bits = new Uint8Array(columns.length * rows.length);
  for (let y = 0, at = 0; y < rows.length; y += 1) {
    const row = rows[y] - patch.y;
    if (row < 0 || row >= patch.height) {
      at += columns.length;
      continue;
    }
    for (let x = 0; x < columns.length; x += 1, at += 1) {
      const column = columns[x] - patch.x;
      if (column >= 0 && column < patch.width) bits[at] = patch.bits[row * patch.width + column];
    }
  }
  return bits;
}
