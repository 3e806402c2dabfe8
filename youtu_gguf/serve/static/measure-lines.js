/** Draws measured lines over the picture. */

/** @typedef {import("./store.js").Point} Point */
/** @typedef {{scale: number, dx: number, dy: number, unit?: number}} Frame */

const DARK = "rgb(0 0 0 / 75%)";
const LINE = "#ffe14d";

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame From pixels of the picture to those of the canvas; `unit` of these are a CSS pixel.
 * @param {{key: string, from: Point, to: Point}[]} lines
 * @param {(line: any) => string} said What stands beside a line after its number.
 * @param {Point | null} probe A point to be marked.
 */
export function paintLines(context, { scale, dx, dy, unit = 1 }, lines, said, probe) {
  const on = (/** @type {Point} */ { x, y }) => ({ x: x * scale + dx, y: y * scale + dy });
  context.save();
  context.lineCap = "round";
  context.font = `600 ${13 * unit}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const [index, line] of lines.entries()) {
    const [from, to] = [on(line.from), on(line.to)];
    for (const [width, colour] of /** @type {const} */ ([[4.5, DARK], [2, LINE]])) {
      context.lineWidth = width * unit;
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(from.x, from.y);
      context.lineTo(to.x, to.y);
      context.stroke();
    }
    for (const end of [from, to]) dot(context, end, 4 * unit, unit);
    label(context, { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 }, `${index + 1}  ${said(line)}`.trim(), unit);
  }
  if (probe) dot(context, on(probe), 6 * unit, unit);
  context.restore();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point} at
 * @param {number} radius
 * @param {number} unit
 */
function dot(context, at, radius, unit) {
  context.beginPath();
  context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  context.fillStyle = LINE;
  context.fill();
  context.lineWidth = 1.5 * unit;
  context.strokeStyle = DARK;
  context.stroke();
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Point} middle
 * @param {string} text
 * @param {number} unit
 */
function label(context, middle, text, unit) {
  const width = context.measureText(text).width + 12 * unit;
  const height = 20 * unit;
  context.fillStyle = DARK;
  context.beginPath();
  context.roundRect(middle.x - width / 2, middle.y - height / 2, width, height, 5 * unit);
  context.fill();
  context.fillStyle = LINE;
  context.textAlign = "center";
  context.fillText(text, middle.x, middle.y);
}
