/** Results as files: which forms a value has, what they are, and how they come from the server. */

import { send } from "./api.js";
import { askedFocal, focalFor } from "./focal.js";
import { info } from "./store.js";
import { words } from "./words.js";

const t = words({
  json: ["Everything about this answer; masks as run lengths", "回答的全部内容；掩码为游程编码"],
  coco: ["Boxes, masks, outlines or persons, for data sets and training", "框、掩码、轮廓或人，用于数据集和训练"],
  labelme: ["Shapes to correct by hand in LabelMe or X-AnyLabeling", "可在 LabelMe 或 X-AnyLabeling 中手工修改的形状"],
  yolo: ["Labels with data.yaml, for training", "标签和 data.yaml，用于训练"],
  panoptic: ["The segment of every pixel, for panoptic segmentation", "每个像素所属的分割段，用于全景分割"],
  labelStudio: ["Predictions to import in Label Studio", "可导入 Label Studio 的预测"],
  cvat: ["Annotations to import in CVAT", "可导入 CVAT 的标注"],
  csv: ["A table for spreadsheets", "供电子表格使用的表格"],
  txt: ["The text alone", "仅文字"],
  overlay: ["Drawn on the picture", "画在图像上"],
  depthPng: ["16-bit grey levels; its text says how much a level is", "16 位灰度；文本块写明每一级的大小"],
  maskPng: ["White inside, black outside", "内部白色，外部黑色"],
  npz: ["All arrays, for NumPy", "全部数组，供 NumPy 使用"],
  rawDepth: ["Distances as float32, row by row", "float32 距离，逐行"],
  rawLabels: ["Class numbers as int32, row by row", "int32 类别序号，逐行"],
  margin: ["How far the best class leads, as float32, row by row", "最优类别的领先幅度，float32，逐行"],
  index: ["The number of each class or object as the pixel's index, in its colour", "像素值为类别或物体的序号，并带其颜色"],
  ros: ["Millimetres, as ROS has them; up to 65 m", "毫米，与 ROS 相同；最远 65 米"],
  kitti: ["256 levels per metre, as in KITTI; up to 255 m", "每米 256 级，与 KITTI 相同；最远 255 米"],
  tum: ["5000 levels per metre, as in TUM RGB-D; up to 13 m", "每米 5000 级，与 TUM RGB-D 相同；最远 13 米"],
  pfm: ["Distances as float32, the lowest row first", "float32 距离，自下而上逐行"],
  exr: ["Distances as float32, for film and 3D programs", "float32 距离，供影视和三维软件使用"],
  ply: ["Coloured points in space, in metres", "带颜色的空间点，单位米"],
  png: ["PNG", "PNG"],
  drawing: ["Drawing (PNG)", "绘图（PNG）"],
  depth16: ["Depth (16-bit PNG)", "深度（16 位 PNG）"],
  classes: ["Classes (PNG)", "类别（PNG）"],
  mask: ["Mask (PNG)", "掩码（PNG）"],
  objects: ["Objects (PNG)", "物体（PNG）"],
  numbers: ["Numbers (raw)", "数值（raw）"],
  margins: ["Margins (raw)", "领先幅度（raw）"],
  text: ["Text", "文字"],
  relative: [
    "This needs metres. Ask for depth again with a focal length in its options.",
    "这需要米制距离。请在选项中填入焦距后重新提问深度。",
  ],
  guessed: ["With a guessed focal length of {px} pixels", "使用估计的焦距 {px} 像素"],
});

/** @typedef {import("./store.js").Result} Result */

/**
 * @typedef {object} Form A file that can be had.
 * @property {string} name As `as=` takes it.
 * @property {string} label
 * @property {string} what What it is for.
 * @property {string | null} lacks Why it cannot be had of this value.
 * @property {number} place In the list, from 0 on.
 */

/** @type {Record<string, [label: () => string, what: () => string]>} In the order of the panel. */
const FORMS = {
  coco: [() => "COCO", () => t("coco")],
  labelme: [() => "LabelMe", () => t("labelme")],
  yolo: [() => "YOLO (.zip)", () => t("yolo")],
  panoptic: [() => "COCO panoptic (.zip)", () => t("panoptic")],
  label_studio: [() => "Label Studio", () => t("labelStudio")],
  cvat: [() => "CVAT", () => t("cvat")],
  csv: [() => "CSV", () => t("csv")],
  ply: [() => "PLY", () => t("ply")],
  overlay: [() => t("drawing"), () => t("overlay")],
  index: [() => t("classes"), () => t("index")],
  png: [() => t("png"), () => ""],
  ros: [() => "ROS (PNG)", () => t("ros")],
  kitti: [() => "KITTI (PNG)", () => t("kitti")],
  tum: [() => "TUM (PNG)", () => t("tum")],
  pfm: [() => "PFM", () => t("pfm")],
  exr: [() => "EXR", () => t("exr")],
  npz: [() => "NPZ", () => t("npz")],
  raw: [() => t("numbers"), () => ""],
  margin: [() => t("margins"), () => t("margin")],
  txt: [() => t("text"), () => t("txt")],
  json: [() => "JSON", () => t("json")],
};

/** What the grey levels of a PNG are, and the numbers of a raw file, by the type of the value. */
/** @type {Record<string, [label: () => string, what: () => string]>} */
const OF_TYPE = {
  "png DepthMap": [() => t("depth16"), () => t("depthPng")],
  "png Mask": [() => t("mask"), () => t("maskPng")],
  "index Instances": [() => t("objects"), () => t("index")],
  "raw DepthMap": [() => t("numbers"), () => t("rawDepth")],
  "raw LabelMap": [() => t("numbers"), () => t("rawLabels")],
};

/** Forms that a count has only with the boxes that were counted. */
const OF_COUNTED = ["coco", "labelme", "yolo", "label_studio", "cvat", "overlay", "npz"];

/** Forms of distances in metres alone. */
const IN_METRES = ["ply", "ros", "kitti", "tum"];

/**
 * @param {Result} result
 * @returns {Form[]} What can be had of it, the most used first.
 */
export function formsOf(result) {
  const offered = /** @type {string[]} */ (info.value?.tasks?.[result.task]?.forms ?? ["json"]);
  return Object.keys(FORMS).filter((name) => offered.includes(name) && isThere(name, result)).map((name) => {
    const [label, what] = OF_TYPE[`${name} ${result.type}`] ?? FORMS[name];
    const focal = name === "ply" ? focalOf(result) : null; // null where distances are relative
    const guess = focal?.source === "guessed" ? t("guessed", { px: Math.round(focal.px) }) : "";
    const lacks = IN_METRES.includes(name) && result.unit !== "m" ? t("relative") : null;
    const place = Object.keys(FORMS).indexOf(name);
    return { name, place, label: label(), what: [what(), guess].filter(Boolean).join(". "), lacks };
  });
}

/**
 * @param {string} name
 * @param {Result} result
 */
function isThere(name, result) {
  if (result.type === "Count" && !result.boxes) return !OF_COUNTED.includes(name);
  if (result.type === "Mask") return name !== "index"; // whose grey levels are the same
  if (name === "png") return result.type === "DepthMap";
  return name !== "margin" || result.margin !== null;
}

/** @param {Result} result */
function focalOf(result) {
  const [width, height] = result.size;
  return focalFor(/** @type {any} */ ({ unit: result.unit, focalPx: result.focal_px, width, height }));
}

/**
 * @param {Result} result
 * @param {string} form
 * @param {string} image Name of the picture.
 * @param {number} step Of a point cloud: every how many pixels there is a point.
 * @param {string} label Of a mask; "" for the server's.
 * @returns {Promise<{file: Blob, name: string}>}
 * @throws {import("./api.js").ApiFailure} Also where the server has forgotten the result, or the picture.
 */
export async function fetchFile(result, form, image, step, label) {
  const query = new URLSearchParams({ as: form, name: image.slice(0, 255) });
  if (label) query.set("label", label);
  if (form === "ply") {
    query.set("step", String(step));
    const focal = focalOf(result);
    if (result.focal_px === null && focal) query.set("focal_px", askedFocal(focal));
  }
  const answer = await send("GET", `/v1/results/${encodeURIComponent(result.id)}?${query}`);
  const told = /filename\*=UTF-8''([^;]+)/.exec(answer.headers.get("Content-Disposition") ?? "");
  return { file: await answer.blob(), name: told ? decodeURIComponent(told[1]) : `${result.task}.${form}` };
}
