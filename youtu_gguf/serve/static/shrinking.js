/** Sizes of pictures, read without decoding them, and smaller copies where a server takes no larger ones. */

/** Pixels of a copy: more than the model looks at, whatever the picture. */
const COPY_PIXELS = 12e6;
const QUALITIES = [0.92, 0.8, 0.6];

/**
 * @param {Blob} blob
 * @returns {Promise<{width: number, height: number} | null>} Upright; null where this browser cannot read the format.
 */
export async function sizeOf(blob) {
  const image = new Image();
  const address = URL.createObjectURL(blob);
  try {
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = reject;
      image.src = address;
    });
    return image.naturalWidth ? { width: image.naturalWidth, height: image.naturalHeight } : null;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * @param {Blob} blob
 * @param {{width: number, height: number} | null} size
 * @param {{pixels: number, body: number}} most
 * @returns {boolean} Whether a server takes the picture, as far as the page knows its size.
 */
export function isFitting(blob, size, most) {
  return blob.size <= most.body && (!size || size.width * size.height <= most.pixels);
}

/**
 * Make a copy that a server takes, upright, as JPEG.
 *
 * @param {Blob} blob
 * @param {{width: number, height: number}} size
 * @param {{pixels: number, body: number}} most
 * @returns {Promise<Blob | null>} null where it cannot be decoded.
 */
export async function shrunk(blob, size, most) {
  const scale = Math.min(1, Math.sqrt(Math.min(most.pixels, COPY_PIXELS) / (size.width * size.height)));
  const [width, height] = [Math.max(1, Math.floor(size.width * scale)), Math.max(1, Math.floor(size.height * scale))];
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const drawn = await drawable(blob, width, height);
  if (!context || !drawn) return null;
  context.fillStyle = "#fff"; // JPEG knows no transparency
  context.fillRect(0, 0, width, height);
  context.drawImage(drawn, 0, 0, width, height);
  for (const quality of QUALITIES) {
    const copy = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (copy && copy.size <= most.body) return copy;
  }
  return null;
}

/**
 * @param {Blob} blob
 * @param {number} width
 * @param {number} height
 * @returns {Promise<CanvasImageSource | null>}
 */
async function drawable(blob, width, height) {
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: "from-image", resizeWidth: width, resizeHeight: height, resizeQuality: "high",
  }).catch(() => null);
  if (bitmap) return bitmap;
  const image = new Image(); // drawings (SVG) are no bitmaps
  const address = URL.createObjectURL(blob);
  image.src = address;
  return image.decode().then(() => image, () => null).finally(() => URL.revokeObjectURL(address));
}
