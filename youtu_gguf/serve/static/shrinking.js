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

/**
 * Note a focal length in a JPEG file, where a copy has lost the camera's.
 *
 * It stands there as a lens whose millimetres are the pixels, before a sensor with one pixel a millimetre (Exif 3.0, 4.6.6).
 *
 * @param {Blob} jpeg
 * @param {number} focalPx In pixels of the copy.
 * @param {number} side Its longer side, in pixels.
 * @returns {Blob}
 */
export function withFocal(jpeg, focalPx, side) {
  const [rational, short, long] = [5, 3, 4];
  const rows = [[0x920a, rational, 80], [0xa002, long, side], [0xa20e, rational, 88], [0xa210, short, 4]]; // 4: millimetres
  const view = new DataView(new ArrayBuffer(96 + 10));
  const tiff = 10; // where offsets count from
  const entry = (/** @type {number} */ at, /** @type {number[]} */ [tag = 0, type = 0, value = 0]) => {
    view.setUint16(tiff + at, tag, true);
    view.setUint16(tiff + at + 2, type, true);
    view.setUint32(tiff + at + 4, 1, true);
    view.setUint32(tiff + at + 8, value, true);
  };
  view.setUint32(0, 0xffe10000 + view.byteLength - 2); // APP1 and its length
  [0x45, 0x78, 0x69, 0x66].forEach((letter, i) => view.setUint8(4 + i, letter)); // "Exif"
  view.setUint32(tiff, 0x49492a00);
  view.setUint32(tiff + 4, 8, true);
  view.setUint16(tiff + 8, 1, true);
  entry(10, [0x8769, long, 26]); // where the directory of Exif is
  view.setUint16(tiff + 26, rows.length, true);
  rows.forEach((row, i) => entry(28 + 12 * i, row));
  [Math.round(focalPx * 1000), 1000, 1, 1].forEach((part, i) => view.setUint32(tiff + 80 + 4 * i, part, true));
  return new Blob([jpeg.slice(0, 2), view.buffer, jpeg.slice(2)], { type: "image/jpeg" });
}
