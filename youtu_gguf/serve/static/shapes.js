/** Paints layers onto a canvas: each kind of result in its way, what is marked stronger than the rest. */

import { paintDepth } from "./depth.js";
import { cardOf, colourOf, itemsOf, rgbOfItem } from "./items.js";
import { patchesOf } from "./labels.js";
import { paintLabels, paintPatches } from "./rasters.js";
import { marked } from "./store.js";
import { paintTag } from "./tags.js";
import { words } from "./words.js";

const t = words({ person: ["person", "人"] });

/** @typedef {import("./store.js").Layer} Layer */

/**
 * @typedef {object} Frame Where the picture is on the canvas: its pixel x is at x * scale + dx.
 * @property {number} scale
 * @property {number} dx
 * @property {number} dy
 * @property {number} width Of the canvas.
 * @property {number} height
 * @property {number} [unit] Pixels of the canvas for one of CSS; 1 if absent.
 * @property {boolean} [still] Leave out names and marks, for a canvas that is seen only while it moves.
 * @property {import("./tags.js").Place[]} [taken] Where names stand already; filled by painting.
 */

const LINE_PX = 2;
const JOINT_PX = 3.5;
const TARGET_PX = 9;
const SMALLEST_NAMED_PX = 10; // smaller boxes have their names in the list alone
const CONTRAST = "rgba(0, 0, 0, 0.6)";

/**
 * Paint a layer at its opacity.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Layer} layer
 * @param {Frame} frame
 */
export function paint(context, layer, frame) {
  context.save();
  switch (layer.kind) {
    case "depth":
      paintDepth(context, layer, frame);
      break;
    case "labels":
      paintLabels(context, layer, frame);
      break;
    case "mask":
    case "instances":
      paintPatches(context, tinted(layer, frame), layer.opacity, frame);
      if (layer.kind === "instances") paintTags(context, layer, frame);
      break;
    default:
      context.globalAlpha = layer.opacity;
      itemsOf(layer).forEach((_, i) => paintShape(context, layer, i, frame));
      paintTags(context, layer, frame);
  }
  context.restore();
}

/**
 * @param {Layer} layer
 * @param {Frame} frame
 */
function tinted(layer, frame) {
  return patchesOf(layer).map((patch, i) => ({ patch, rgb: rgbOfItem(layer, i), strong: isMarked(layer, i, frame) }));
}

/**
 * @param {Layer} layer
 * @param {number} item
 * @param {Frame} frame
 * @returns {boolean}
 */
function isMarked(layer, item, frame) {
  const mark = frame.still ? null : marked.value;
  return mark?.card === cardOf(layer) && mark.item === item;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Layer} layer
 * @param {number} item
 * @param {Frame} frame
 */
function paintShape(context, layer, item, frame) {
  const { result } = layer;
  const colour = colourOf(layer, item);
  const strong = isMarked(layer, item, frame);
  switch (layer.kind) {
    case "boxes":
      return paintOutline(context, boxPath(itemsOf(layer)[item].xyxy, frame), colour, strong, frame);
    case "polygons":
      return paintOutline(context, ringsPath(result.polygons[item].parts, frame), colour, strong, frame);
    case "poses":
      return paintPose(context, result.persons[item].xyv, result.skeleton, colour, strong, frame);
    case "point":
      return paintTarget(context, result.xy, colour, frame);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Path2D} path
 * @param {string} colour
 * @param {boolean} strong
 * @param {Frame} frame
 */
function paintOutline(context, path, colour, strong, frame) {
  const unit = frame.unit ?? 1;
  context.lineJoin = "round";
  if (strong) {
    context.save();
    context.globalAlpha *= 0.25;
    context.fillStyle = colour;
    context.fill(path);
    context.restore();
  }
  context.strokeStyle = CONTRAST;
  context.lineWidth = (LINE_PX * (strong ? 2 : 1) + 2) * unit;
  context.stroke(path);
  context.strokeStyle = colour;
  context.lineWidth = LINE_PX * (strong ? 2 : 1) * unit;
  context.stroke(path);
}

/**
 * @param {number[] | null} xyxy
 * @param {Frame} frame
 */
function boxPath(xyxy, { scale, dx, dy }) {
  const path = new Path2D();
  if (!xyxy) return path;
  const [left, top, right, bottom] = xyxy;
  path.rect(left * scale + dx, top * scale + dy, (right - left) * scale, (bottom - top) * scale);
  return path;
}

/**
 * @param {[number, number][][]} rings
 * @param {Frame} frame
 */
function ringsPath(rings, { scale, dx, dy }) {
  const path = new Path2D();
  for (const ring of rings) {
    ring.forEach(([x, y], i) => (i ? path.lineTo(x * scale + dx, y * scale + dy) : path.moveTo(x * scale + dx, y * scale + dy)));
    path.closePath();
  }
  return path;
}

/**
 * Paint limbs and joints; joints whose visibility is 0 are missing, and one of null was given none.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number, number | null][]} joints
 * @param {[number, number][]} skeleton
 * @param {string} colour
 * @param {boolean} strong
 * @param {Frame} frame
 */
function paintPose(context, joints, skeleton, colour, strong, frame) {
  const { scale, dx, dy, unit = 1 } = frame;
  const limbs = new Path2D();
  const dots = new Path2D();
  const radius = JOINT_PX * unit * (strong ? 1.4 : 1);
  const at = joints.map(([x, y, seen]) => (seen === 0 ? null : [x * scale + dx, y * scale + dy]));
  for (const [from, to] of skeleton) {
    const [start, end] = [at[from], at[to]];
    if (!start || !end) continue;
    limbs.moveTo(start[0], start[1]);
    limbs.lineTo(end[0], end[1]);
  }
  for (const joint of at) {
    if (!joint) continue;
    dots.moveTo(joint[0] + radius, joint[1]);
    dots.arc(joint[0], joint[1], radius, 0, 2 * Math.PI);
  }
  context.lineCap = "round";
  paintOutline(context, limbs, colour, strong, frame);
  context.fillStyle = "#ffffff";
  context.fill(dots);
  context.strokeStyle = CONTRAST;
  context.lineWidth = 1.5 * unit;
  context.stroke(dots);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number]} xy
 * @param {string} colour
 * @param {Frame} frame
 */
function paintTarget(context, [x, y], colour, frame) {
  const { scale, dx, dy, unit = 1 } = frame;
  const [left, top, radius] = [x * scale + dx, y * scale + dy, TARGET_PX * unit];
  const path = new Path2D();
  path.arc(left, top, radius, 0, 2 * Math.PI);
  for (const [across, down] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    path.moveTo(left + across * radius * 0.5, top + down * radius * 0.5);
    path.lineTo(left + across * radius * 1.6, top + down * radius * 1.6);
  }
  paintOutline(context, path, colour, true, frame);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Layer} layer
 * @param {Frame} frame
 */
function paintTags(context, layer, frame) {
  if (frame.still) return;
  const order = itemsOf(layer).map((item, i) => ({ item, i, strong: isMarked(layer, i, frame) }));
  order.sort((one, other) => Number(other.strong) - Number(one.strong)); // what is marked is named first
  for (const { item, i, strong } of order) {
    const text = tagOf(layer, item);
    if (!item.xyxy || !text) continue;
    const [left, top, right, bottom] = placed(item.xyxy, frame);
    const isSeen = right > 0 && bottom > 0 && left < frame.width && top < frame.height;
    const isSmall = layer.kind !== "point" && Math.max(right - left, bottom - top) < SMALLEST_NAMED_PX * (frame.unit ?? 1);
    if (!isSeen || (isSmall && !strong)) continue;
    context.globalAlpha = 1;
    paintTag(context, frame, text, colourOf(layer, i), { left, top, right, bottom }, strong);
  }
}

/**
 * @param {[number, number, number, number]} xyxy
 * @param {Frame} frame
 */
function placed([left, top, right, bottom], { scale, dx, dy }) {
  return [left * scale + dx, top * scale + dy, right * scale + dx, bottom * scale + dy];
}

/**
 * @param {Layer} layer
 * @param {import("./items.js").Item} item
 * @returns {string}
 */
function tagOf(layer, item) {
  const name = item.label || (layer.kind === "poses" ? t("person") : "");
  return item.score === null ? name : `${name} ${item.score.toFixed(2)}`.trim();
}
