/** The colours of classes, objects and layers: those of `youtu_gguf.types.colours`, and patterns beside them. */

/** @typedef {[red: number, green: number, blue: number]} Rgb */

/** Okabe and Ito's colours, told apart with every common colour vision (Color Universal Design, 2008). */
const BASE = /** @type {Rgb[]} */ ([
  [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167],
]);

const GOLDEN_ANGLE = 0.618034; // turns; successive hues land far from all earlier ones
const LIGHTNESS = [0.45, 0.65, 0.55];
const SATURATION = 0.75;

/** Patterns of classes: none, lines up, lines down, dots. Classes whose colours are alike differ in them. */
export const PATTERNS = 4;

/**
 * @param {number} index Of a class, an object or a layer, from 0.
 * @returns {Rgb}
 */
export function rgbOf(index) {
  if (index < BASE.length) return BASE[index];
  const lightness = LIGHTNESS[index % LIGHTNESS.length];
  const reach = SATURATION * Math.min(lightness, 1 - lightness);
  const hue = (index * GOLDEN_ANGLE * 12) % 12;
  const channel = (/** @type {number} */ offset) => {
    const k = (offset + hue) % 12;
    return Math.round(255 * (lightness - reach * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/**
 * @param {number} index
 * @returns {string} `#rrggbb`
 */
export function hexOf(index) {
  return `#${rgbOf(index).map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * @param {string} colour `#rrggbb`
 * @returns {Rgb}
 */
export function rgbOfHex(colour) {
  const number = Number.parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/**
 * @param {Rgb} rgb
 * @returns {string} Black or white, whichever reads better on it.
 */
export function inkOn([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000000" : "#ffffff";
}

/**
 * @param {number} pattern 0 to `PATTERNS` - 1.
 * @param {number} x
 * @param {number} y
 * @returns {boolean} Whether the pixel of a pattern is dark.
 */
export function isDark(pattern, x, y) {
  if (pattern === 1) return ((x + y) & 7) < 2;
  if (pattern === 2) return ((x - y) & 7) < 2;
  return pattern === 3 && (x & 7) < 3 && (y & 7) < 3;
}
