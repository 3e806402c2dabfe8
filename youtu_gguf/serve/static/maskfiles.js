/** Masks that were put together in the page, as files: the server has no result of theirs. */

import { patchesOf } from "./labels.js";
import { nameOf } from "./names.js";
import { picture } from "./store.js";

/** @typedef {import("./store.js").Layer} Layer */

/**
 * @param {Layer} layer Of kind "mask".
 * @returns {Promise<Blob>} A PNG file: white inside, black outside.
 */
export function maskPng(layer) {
  const [width, height] = layer.result.size;
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillRect(0, 0, width, height);
  for (const patch of patchesOf(layer)) {
    if (!patch.area) continue;
    const pixels = new ImageData(patch.width, patch.height);
    const white = new Uint32Array(pixels.data.buffer);
    patch.bits.forEach((bit, i) => (white[i] = bit ? 0xffffffff : 0xff000000));
    context.putImageData(pixels, patch.x, patch.y);
  }
  return canvas.convertToBlob({ type: "image/png" });
}

/**
 * @param {Layer} layer Of kind "mask".
 * @returns {object} A COCO data set of one picture and one annotation.
 */
export function maskCoco(layer) {
  const { size, mask, area } = layer.result;
  const patch = patchesOf(layer)[0];
  return {
    images: [{ id: 1, file_name: picture.value?.name ?? "image", width: size[0], height: size[1] }],
    categories: [{ id: 1, name: nameOf(layer) }],
    annotations: [
      {
        id: 1,
        image_id: 1,
        category_id: 1,
        bbox: [patch.x, patch.y, patch.width, patch.height],
        area,
        segmentation: mask,
        iscrowd: 0,
      },
    ],
  };
}
