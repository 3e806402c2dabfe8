/** A result in words: its items, its figures, and the text that is copied. */

import { words } from "./words.js";

const t = words({
  size: ["left {x}, top {y}, {w} × {h}", "左 {x}，上 {y}，{w} × {h}"],
  points: ["{n} points", "{n} 个点"],
  person: ["person {n}", "人 {n}"],
  joints: ["{n} of {of} joints", "{of} 个关节中的 {n} 个"],
  thing: ["object", "物体"],
  mask: ["mask", "掩码"],
  score: ["score {score}", "分数 {score}"],
  boxes: ["{n} boxes", "{n} 个框"],
  boxesOne: ["1 box", "1 个框"],
  polygons: ["{n} outlines", "{n} 个轮廓"],
  polygonsOne: ["1 outline", "1 个轮廓"],
  persons: ["{n} persons", "{n} 个人"],
  personsOne: ["1 person", "1 个人"],
  instances: ["{n} masks", "{n} 个掩码"],
  instancesOne: ["1 mask", "1 个掩码"],
  classes: ["{n} classes", "{n} 个类别"],
  classesOne: ["1 class", "1 个类别"],
  nothing: ["Nothing was found.", "没有找到。"],
  tryNames: ["Try other words, no words at all, or zoom 2 under Options: small things are seen better.", "可以换一种说法、留空，或在“选项”中将放大设为 2：这样更容易看到小物体。"],
  tryWords: ["Try other words, or zoom 2 under Options: small things are seen better.", "可以换一种说法，或在“选项”中将放大设为 2：这样更容易看到小物体。"],
  tryFind: ["Try other words, or find the things first (Find): their boxes are what is masked.", "可以换一种说法，或先用“检测”查看物体：掩码来自它们的框。"],
  tryZoom: ["Try zoom 2 under Options: small things are seen better.", "可以在“选项”中将放大设为 2：这样更容易看到小物体。"],
  noNumber: ["The answer is not one whole number.", "回答不是一个整数。"],
  noText: ["The answer is empty.", "回答为空。"],
  noMask: ["The mask is empty.", "掩码为空。"],
  noAction: ["The answer is not an action.", "回答不是一个操作。"],
  maskOf: ["{area} pixels, {share} of the picture", "{area} 像素，占图像的 {share}"],
  actionAt: ["{action} at {x}, {y}", "{action}，位于 {x}, {y}"],
  metres: ["m", "米"],
  relative: ["relative", "相对值"],
  median: ["median {value} {unit}", "中位数 {value} {unit}"],
  nearest: ["nearest", "最近"],
  quarter: ["a quarter is nearer than", "四分之一近于"],
  middle: ["median", "中位数"],
  threeQuarters: ["three quarters are nearer than", "四分之三近于"],
  farthest: ["farthest", "最远"],
  focal: ["focal length {px} px", "焦距 {px} 像素"],
  noFocal: ["Relative distances: the focal length is not known. They can be compared within this picture only.", "相对距离：焦距未知，只能在这幅图像内比较。"],
  valid: ["{share} of the pixels have a distance", "{share} 的像素有距离"],
});

/** @typedef {import("./store.js").Result} Result */
/** @typedef {[start: number, end: number][]} Spans In characters (code points) of `raw`. */

/**
 * @typedef {object} Item One thing that a result tells of.
 * @property {string} label
 * @property {string} detail Where it is, or how much of it there is.
 * @property {number | null} score
 * @property {number | null} share Of the picture, 0 to 1, for classes of a label map.
 * @property {Spans} spans
 */

/**
 * @param {string} label
 * @param {string} detail
 * @param {{score?: number | null, spans?: Spans | null, share?: number | null}} from
 * @returns {Item}
 */
const item = (label, detail, { score = null, spans = null, share = null }) => ({ label, detail, score, share, spans: spans ?? [] });

/** @param {number[] | null} xyxy */
function sizeOf(xyxy) {
  if (!xyxy) return "";
  const [x, y, right, bottom] = xyxy.map(Math.round);
  return t("size", { x, y, w: right - x, h: bottom - y });
}

/** @param {number} share */
const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

/**
 * @param {Result} result
 * @returns {Item[]} In the order of the API's lists, which is that of `marked`.
 */
export function itemsOf(result) {
  switch (result.type) {
    case "Boxes":
    case "Count":
      return (result.boxes ?? []).map((/** @type {any} */ box) => item(box.label || t("thing"), sizeOf(box.xyxy), box));
    case "Polygons":
      return result.polygons.map((/** @type {any} */ one) => item(one.label || t("thing"), t("points", { n: one.parts.flat().length }), one));
    case "Poses":
      return result.persons.map((/** @type {any} */ person, /** @type {number} */ n) => item(t("person", { n: n + 1 }), jointsOf(person), person));
    case "Instances":
      return result.instances.map((/** @type {any} */ one) => item(one.label || t("thing"), sizeOf(one.xyxy), one));
    case "LabelMap":
      return result.classes.map((/** @type {string} */ name) => {
        const share = result.shares[name];
        return item(name, percent(share), { share, score: result.scores?.[name], spans: result.spans?.[name] });
      });
    case "Mask":
      return result.xyxy ? [item(t("mask"), sizeOf(result.xyxy), /** @type {any} */ (result))] : [];
    case "Action":
      return result.xy ? [item(result.action, result.xy.map(Math.round).join(", "), { spans: result.spans })] : [];
  }
  return [];
}

/** @param {any} person */
function jointsOf({ xyv }) {
  return t("joints", { n: xyv.filter((/** @type {any[]} */ joint) => joint[0] !== null && joint[2] !== 0).length, of: xyv.length });
}

/**
 * @param {"boxes" | "polygons" | "persons" | "instances" | "classes"} things
 * @param {number} n
 */
function counted(things, n) {
  if (n === 0) return t("nothing");
  return n === 1 ? t(`${things}One`) : t(things, { n });
}

/**
 * @param {Result} result
 * @returns {string} Its gist in a few words: for screen readers, lists and history.
 */
export function gistOf(result) {
  const n = itemsOf(result).length;
  switch (result.type) {
    case "Text":
      return result.text || t("noText");
    case "Count":
      return result.count === null ? t("noNumber") : String(result.count);
    case "Boxes":
      return counted("boxes", n);
    case "Polygons":
      return counted("polygons", n);
    case "Poses":
      return counted("persons", n);
    case "Instances":
      return counted("instances", n);
    case "LabelMap":
      return counted("classes", n);
    case "Mask": {
      const [width, height] = result.size;
      return result.area ? t("maskOf", { area: result.area, share: percent(result.area / (width * height)) }) : t("noMask");
    }
    case "DepthMap":
      return t("median", { value: distance(result.median), unit: unitOf(result) });
    case "Action": {
      const [x, y] = (result.xy ?? []).map(Math.round);
      return result.xy ? t("actionAt", { action: result.action, x, y }) : result.action || t("noAction");
    }
  }
  return result.type;
}

/** @param {Result} result */
const unitOf = (result) => (result.unit === "m" ? t("metres") : t("relative"));

/** @param {number | null} value */
const distance = (value) => (value === null ? "-" : value.toFixed(2));

/**
 * @param {Result} result A depth map.
 * @returns {[what: string, value: string][]} Its quantiles, with their unit.
 */
export function distancesOf(result) {
  const rows = /** @type {const} */ ([["nearest", "min"], ["quarter", "p25"], ["middle", "median"], ["threeQuarters", "p75"], ["farthest", "max"]]);
  return rows.map(([what, key]) => [t(what), `${distance(result[key])} ${unitOf(result)}`]);
}

/** What to try where a task found nothing. @type {Record<string, "tryNames" | "tryWords" | "tryFind" | "tryZoom">} */
const TRY = { detect: "tryNames", ground: "tryWords", polygon: "tryWords", instances: "tryFind", refer: "tryFind", pose: "tryZoom" };

/**
 * @param {Result} result
 * @returns {string[]} What else is to be known of it.
 */
export function notesOf(result) {
  const notes = [];
  if (result.task in TRY && !itemsOf(result).length) notes.push(t(TRY[result.task]));
  if (result.type === "DepthMap") {
    if (result.unit !== "m") notes.push(t("noFocal"));
    else if (result.focal_px) notes.push(t("focal", { px: Math.round(result.focal_px) }));
    if (result.valid_share < 1) notes.push(t("valid", { share: percent(result.valid_share) }));
  }
  if (["Text", "Count"].includes(result.type) && typeof result.score === "number") notes.push(t("score", { score: result.score.toFixed(2) }));
  return notes;
}

/**
 * @param {Result} result
 * @returns {string} Its words, to be copied: a line for each item.
 */
export function textOf(result) {
  if (result.type === "DepthMap") return [...distancesOf(result).map((row) => row.join(": ")), ...notesOf(result)].join("\n");
  const lines = itemsOf(result).map(({ label, detail, score }) => [label, detail, score?.toFixed(2)].filter(Boolean).join(", "));
  return [...(["Text", "Count", "Mask"].includes(result.type) || !lines.length ? [gistOf(result)] : []), ...lines].join("\n");
}
