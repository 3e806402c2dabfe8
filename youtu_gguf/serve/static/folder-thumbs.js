/** Small pictures of files, made in this page when their row comes into view, two at a time. */

const WIDTH = 96;
const HEIGHT = 72;
const AT_ONCE = 2;
const MARGIN = "300px";

/** @type {Map<Element, {file: File, canvas: HTMLCanvasElement}>} Those that are still to be drawn. */
const wanted = new Map();
/** @type {Element[]} */
const queue = [];
let drawing = 0;

const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      queue.push(target);
    }
    next();
  },
  { rootMargin: MARGIN },
);

/**
 * @param {File} file
 * @param {Element} row Drawn when this comes into view.
 * @returns {HTMLCanvasElement}
 */
export function thumbnail(file, row) {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  canvas.setAttribute("aria-hidden", "true");
  wanted.set(row, { file, canvas });
  observer.observe(row);
  return canvas;
}

/** @param {Element} row Whose small picture is no longer wanted. */
export function forgetThumbnail(row) {
  wanted.delete(row);
  observer.unobserve(row);
}

function next() {
  while (drawing < AT_ONCE && queue.length) {
    const row = /** @type {Element} */ (queue.shift());
    const found = wanted.get(row);
    if (!found) continue;
    wanted.delete(row);
    drawing += 1;
    draw(found.file, found.canvas).finally(() => {
      drawing -= 1;
      next();
    });
  }
}

/**
 * @param {File} file
 * @param {HTMLCanvasElement} canvas Stays empty where the browser cannot read the file: the server may.
 */
async function draw(file, canvas) {
  const bitmap = await createImageBitmap(file, { resizeWidth: 2 * WIDTH, resizeQuality: "low" }).catch(() => null);
  if (!bitmap) return;
  const scale = Math.min(WIDTH / bitmap.width, HEIGHT / bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  canvas.getContext("2d")?.drawImage(bitmap, (WIDTH - width) / 2, (HEIGHT - height) / 2, width, height);
  bitmap.close();
}
