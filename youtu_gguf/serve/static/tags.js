/** Names beside what they name: placed where they hide neither each other nor, if it can be, what they are about. */

import { inkOn, rgbOfHex } from "./palette.js";

/** @typedef {{left: number, top: number, right: number, bottom: number}} Place */

const TEXT_PX = 12;
const INSET_PX = 4;
const HEIGHT_PX = 17;
const LONGEST = 40;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./shapes.js").Frame} frame
 * @param {string} text
 * @param {string} colour `#rrggbb`
 * @param {Place} about In pixels of the canvas.
 * @param {boolean} strong Whether it is drawn even where no place is free.
 */
export function paintTag(context, frame, text, colour, about, strong) {
  const unit = frame.unit ?? 1;
  const taken = (frame.taken ??= []);
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
  context.font = `${strong ? 700 : 500} ${TEXT_PX * unit}px system-ui, "Noto Sans CJK SC", sans-serif`;
  const width = context.measureText(shown).width + 2 * INSET_PX * unit;
  const height = HEIGHT_PX * unit;
  const places = candidates(about, width, height, frame);
  const place = places.find((one) => !taken.some((other) => overlap(one, other))) ?? (strong ? places[0] : null);
  if (!place) return;
  taken.push(place);
  context.fillStyle = colour;
  context.fillRect(place.left, place.top, width, height);
  context.fillStyle = inkOn(rgbOfHex(colour));
  context.textBaseline = "middle";
  context.fillText(shown, place.left + INSET_PX * unit, place.top + height / 2 + 0.5 * unit);
}

/**
 * @param {Place} about
 * @param {number} width
 * @param {number} height
 * @param {import("./shapes.js").Frame} frame
 * @returns {Place[]} Above, inside at the top, below, above at the right; moved into the canvas; the best first.
 */
function candidates(about, width, height, frame) {
  const isNarrow = about.right - about.left < width;
  const corners = [
    [about.left, about.top - height],
    [about.left, about.top],
    [about.left, about.bottom],
    [about.right - width, about.top - height],
    [about.right - width, about.bottom - height],
    [about.left, about.bottom - height],
  ];
  const inView = corners.filter(([, y]) => y >= 0 && y + height <= frame.height);
  const kept = inView.length ? inView : corners.slice(1, 2);
  return (isNarrow ? kept.filter(([x]) => x === about.left) : kept).map(([x, y]) => {
    const left = Math.max(0, Math.min(x, frame.width - width));
    const top = Math.max(0, Math.min(y, frame.height - height));
    return { left, top, right: left + width, bottom: top + height };
  });
}

/**
 * @param {Place} one
 * @param {Place} other
 * @returns {boolean}
 */
function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
