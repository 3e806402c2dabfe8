/**
 * The canvases of the picture. While the view moves, ready-made canvases are moved by the compositor; when it rests, the
 * part that is seen is drawn sharply. So moving costs the same, however much is drawn.
 */

import { effect } from "./vendor/signals-core.js";
import { paint } from "./shapes.js";
import { drawn } from "./store.js";
import { bitmap, height, stage, view, width } from "./view.js";

/** @typedef {import("./shapes.js").Frame} Frame */

const REST_MS = 120;
const COARSE_PX = 1400; // longest side of the canvas that stands in for what is not drawn sharply yet
const COARSE_AFTER_MS = 250;
const PIXELATED_FROM = 4; // pixels of the screen for one of the picture
const SMALLEST_LEVEL_PX = 1024;

/** Draw above the layers: drafts, measured lines. Called with the frame of the canvas whenever it is drawn. */
export const painters = /** @type {Set<(context: CanvasRenderingContext2D, frame: Frame) => void>} */ (new Set());

/** @type {() => void} */
let again = () => {};

/** Draw what is above the picture again, though no signal changed. */
export function repaint() {
  again();
}

/**
 * Run `work` now, and later again whenever a signal that it read has changed.
 *
 * @param {() => void} work
 * @param {(run: () => void) => void} later When to run it again.
 * @returns {() => void} Runs it at once.
 */
function live(work, later) {
  let end = () => {};
  const run = () => {
    end();
    let isFirst = true;
    end = effect(() => {
      if (isFirst) work();
      else later(run);
      isFirst = false;
    });
  };
  run();
  return run;
}

/** @param {string} name */
function canvasOf(name) {
  const canvas = document.createElement("canvas");
  canvas.className = name;
  canvas.setAttribute("aria-hidden", "true");
  return canvas;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {boolean} [alpha] Whether anything below it can be seen; the compositor skips what cannot.
 */
function contextOf(canvas, alpha = true) {
  return /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha }));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} across
 * @param {number} down
 */
function resize(canvas, across, down) {
  if (canvas.width !== across) canvas.width = across;
  if (canvas.height !== down) canvas.height = down;
}

/** @type {WeakMap<ImageBitmap, ImageBitmap[]>} Smaller and smaller copies, so that drawing is quick and smooth. */
const levels = new WeakMap();

/** @param {ImageBitmap} full */
async function makeLevels(full) {
  const made = [full];
  levels.set(full, made);
  for (let last = full; Math.max(last.width, last.height) > 2 * SMALLEST_LEVEL_PX; ) {
    const [resizeWidth, resizeHeight] = [Math.ceil(last.width / 2), Math.ceil(last.height / 2)];
    last = await createImageBitmap(last, { resizeWidth, resizeHeight, resizeQuality: "medium" });
    made.push(last);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 */
function drawPicture(context, frame) {
  context.fillStyle = "#ffffff"; // what is transparent in the picture
  context.fillRect(0, 0, frame.width, frame.height);
  const full = bitmap.value;
  if (!full || !width.value) return;
  const [across, down] = [width.value * frame.scale, height.value * frame.scale];
  const level = (levels.get(full) ?? [full]).findLast((one) => one.width >= across) ?? full;
  context.imageSmoothingEnabled = frame.scale < PIXELATED_FROM;
  context.drawImage(level, frame.dx, frame.dy, across, down);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 */
function drawLayers(context, frame) {
  context.imageSmoothingEnabled = frame.scale < PIXELATED_FROM;
  for (const layer of drawn.value) paint(context, layer, frame);
}

/** @param {HTMLElement} host Gets the canvases. */
export function mountSurface(host) {
  const [coarse, sharp, above] = [canvasOf("coarse"), canvasOf("sharp"), canvasOf("above")];
  host.append(coarse, sharp, above);
  let shown = view.value;
  let corner = { x: 0, y: 0 }; // of the sharp canvas, which covers only the picture, in pixels of the screen

  /** @returns {Frame & {unit: number}} Of what is drawn sharply, in pixels of the screen. */
  const frameNow = () => {
    const unit = devicePixelRatio || 1;
    return {
      scale: shown.scale * unit,
      dx: Math.round(shown.x * unit),
      dy: Math.round(shown.y * unit),
      width: above.width,
      height: above.height,
      unit,
    };
  };

  const drawAbove = live(() => {
    const frame = { ...frameNow(), taken: [] };
    const context = contextOf(above);
    context.clearRect(0, 0, frame.width, frame.height);
    if (!width.value) return;
    drawLayers(context, frame);
    for (const painter of painters) painter(context, frame);
  }, requestAnimationFrame);

  const drawCoarse = () => {
    const scale = Math.min(1, COARSE_PX / Math.max(1, width.value, height.value));
    resize(coarse, Math.max(1, Math.round(width.value * scale)), Math.max(1, Math.round(height.value * scale)));
    coarse.hidden = !bitmap.value;
    const unit = scale / view.peek().scale; // lines are as thick as in the sharp canvas, as far as can be told
    const frame = { scale, dx: 0, dy: 0, width: coarse.width, height: coarse.height, unit, still: true };
    drawPicture(contextOf(coarse, false), frame);
    drawLayers(contextOf(coarse, false), frame);
    place();
  };

  const sharpen = () => {
    const unit = devicePixelRatio || 1;
    const [across, down] = [Math.round(stage.peek().width * unit), Math.round(stage.peek().height * unit)];
    if (!across || !down) return;
    resize(above, across, down);
    shown = view.peek();
    drawSharp();
    drawAbove();
    place();
  };

  const drawSharp = () => {
    const frame = frameNow();
    const [right, bottom] = [frame.dx + width.peek() * frame.scale, frame.dy + height.peek() * frame.scale];
    corner = { x: Math.max(0, frame.dx), y: Math.max(0, frame.dy) };
    const across = Math.min(frame.width, Math.round(right)) - corner.x;
    const down = Math.min(frame.height, Math.round(bottom)) - corner.y;
    resize(sharp, Math.max(1, across), Math.max(1, down));
    sharp.hidden = across < 1 || down < 1 || !bitmap.peek();
    const moved = { dx: frame.dx - corner.x, dy: frame.dy - corner.y, width: sharp.width, height: sharp.height };
    drawPicture(contextOf(sharp, false), { ...frame, ...moved });
  };

  /** Move the canvases to where the view has them. */
  const place = () => {
    const { scale, x, y } = view.peek();
    const unit = devicePixelRatio || 1;
    const ratio = scale / shown.scale;
    const moved = (/** @type {{x: number, y: number}} */ from) =>
      `translate(${x + (from.x / unit - shown.x) * ratio}px, ${y + (from.y / unit - shown.y) * ratio}px) scale(${ratio / unit})`;
    sharp.style.transform = moved(corner);
    above.style.transform = moved({ x: 0, y: 0 });
    coarse.style.transform = `translate(${x}px, ${y}px) scale(${(width.peek() * scale) / coarse.width})`;
  };

  const resting = () => {
    clearTimeout(rest);
    rest = setTimeout(sharpen, REST_MS);
  };
  /** @type {ReturnType<typeof setTimeout>} */
  let rest;
  again = () => requestAnimationFrame(drawAbove);

  effect(() => {
    if (view.value) place();
    if (view.peek() !== shown) resting();
  });
  effect(() => {
    if (stage.value.width) requestAnimationFrame(sharpen);
  });
  effect(() => {
    const full = bitmap.value;
    if (full && !levels.has(full)) makeLevels(full).then(sharpen, sharpen);
    requestAnimationFrame(sharpen);
  });
  live(drawCoarse, (run) => setTimeout(run, COARSE_AFTER_MS));
}
