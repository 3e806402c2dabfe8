/** What each task is asked with: its name, what is typed for it, and how a question reads in a title. */

import { words } from "./words.js";

const t = words({
  ask: ["Ask", "提问"],
  describe: ["Describe", "描述"],
  detect: ["Find", "检测"],
  segment: ["Segment", "分割"],
  depth: ["Depth", "深度"],
  pose: ["Pose", "姿态"],
  ocr: ["Read", "识字"],
  count: ["Count", "计数"],
  click: ["Click", "点击"],
  reason: ["Reason", "推理"],
  classify: ["Classify", "分类"],
  ground: ["Locate", "定位"],
  polygon: ["Outline", "轮廓"],
  refer: ["Mask", "掩码"],
  instances: ["Instances", "实例"],
  askHint: ["What colour is the car?", "车是什么颜色？"],
  reasonHint: ["Is it safe to cross? The model thinks step by step.", "现在可以过马路吗？模型会一步一步思考。"],
  detectHint: ["car, person (or nothing, for everything)", "车, 人（留空则检测所有物体）"],
  segmentHint: ["road, sky, car (or nothing: the model names what it sees)", "路, 天空, 车（留空则由模型列出看到的类别）"],
  instancesHint: ["car, person (or nothing, for everything)", "车, 人（留空则包括所有物体）"],
  countHint: ["person", "人"],
  groundHint: ["the red car on the left", "左边的红色汽车"],
  polygonHint: ["the red car on the left", "左边的红色汽车"],
  referHint: ["the red car on the left (or click in the picture)", "左边的红色汽车（也可以直接点击图像）"],
  clickHint: ["open the settings (for screenshots: where to click)", "打开设置（用于截图：该点击哪里）"],
  nothing: ["Nothing to type: press Enter", "无需输入：按 Enter 即可"],
  askHelp: ["Any question about the picture", "关于图像的任何问题"],
  describeHelp: ["A detailed caption", "详细的描述"],
  detectHelp: ["A box around each object", "每个物体一个框"],
  segmentHelp: ["A class for every pixel", "每个像素一个类别"],
  depthHelp: ["A distance for every pixel", "每个像素一个距离"],
  poseHelp: ["People and their joints", "人和关节"],
  ocrHelp: ["The text in the picture", "图像中的文字"],
  countHelp: ["How many there are", "有多少个"],
  clickHelp: ["Where to click on a screenshot; nothing is clicked", "截图上该点击的位置；不会真的点击"],
  reasonHelp: ["A question that takes several steps", "需要多步思考的问题"],
  classifyHelp: ["The category of the main object", "主要物体的类别"],
  groundHelp: ["The box of what a phrase describes", "短语所描述物体的框"],
  polygonHelp: ["The outline of what a phrase describes", "短语所描述物体的轮廓"],
  referHelp: ["The mask of what a phrase describes", "短语所描述物体的掩码"],
  instancesHelp: ["A mask for each object", "每个物体一个掩码"],
  everything: ["everything", "所有物体"],
  at: ["at {x}, {y}", "位于 {x}, {y}"],
  titled: ["{label}: {subject}", "{label}：{subject}"],
  within: ["in {x1}, {y1} to {x2}, {y2}", "{x1}, {y1} 至 {x2}, {y2} 内"],
});

/**
 * @typedef {object} TaskForm
 * @property {() => string} label
 * @property {() => string} help What the task gives.
 * @property {() => string} placeholder What may be typed.
 * @property {"text" | "names" | "nothing"} kind What is typed: words, names with commas between them, or nothing.
 * @property {string | null} argument Name of the argument that the typed words become.
 * @property {boolean} needed Whether something must be typed.
 */

/**
 * @param {"ask" | "reason" | "count" | "ground" | "polygon" | "refer" | "click"} task
 * @param {string} argument
 * @returns {TaskForm}
 */
function asksWords(task, argument) {
  return { label: () => t(task), help: () => t(`${task}Help`), placeholder: () => t(`${task}Hint`), kind: "text", argument, needed: true };
}

/**
 * @param {"detect" | "segment" | "instances"} task
 * @returns {TaskForm}
 */
function asksNames(task) {
  return { ...asksWords("ask", "classes"), label: () => t(task), help: () => t(`${task}Help`), placeholder: () => t(`${task}Hint`), kind: "names", needed: false };
}

/**
 * @param {"describe" | "depth" | "pose" | "ocr" | "classify"} task
 * @returns {TaskForm}
 */
function asksNothing(task) {
  return { label: () => t(task), help: () => t(`${task}Help`), placeholder: () => t("nothing"), kind: "nothing", argument: null, needed: false };
}

/** How each task is asked. @type {Record<string, TaskForm>} */
export const TASK_FORMS = {
  ask: asksWords("ask", "question"),
  describe: asksNothing("describe"),
  detect: asksNames("detect"),
  segment: asksNames("segment"),
  depth: asksNothing("depth"),
  pose: asksNothing("pose"),
  ocr: asksNothing("ocr"),
  count: asksWords("count", "what"),
  click: asksWords("click", "instruction"),
  reason: asksWords("reason", "question"),
  classify: asksNothing("classify"),
  ground: asksWords("ground", "description"),
  polygon: asksWords("polygon", "description"),
  refer: asksWords("refer", "phrase"),
  instances: asksNames("instances"),
};

/** The tasks of the keys 1 to 9. */
export const FIRST_TASKS = ["ask", "describe", "detect", "segment", "depth", "pose", "ocr", "count", "click"];

/** The other tasks. */
export const MORE_TASKS = Object.keys(TASK_FORMS).filter((task) => !FIRST_TASKS.includes(task));

/**
 * @param {string} task
 * @param {string} typed
 * @returns {Record<string, unknown>} The arguments that the typed words are.
 */
export function argumentsOf(task, typed) {
  const { kind, argument } = TASK_FORMS[task];
  if (argument === null) return {};
  if (kind === "text") return typed.trim() ? { [argument]: typed.trim() } : {};
  const names = typed.split(/[,，、;；\n]/).map((name) => name.trim()).filter(Boolean);
  return names.length ? { [argument]: names } : {};
}

/**
 * @param {import("./store.js").Question} question
 * @returns {string} What was typed for it.
 */
export function typedOf({ task, args }) {
  const argument = TASK_FORMS[task]?.argument;
  const value = argument ? args[argument] : "";
  return Array.isArray(value) ? value.join(", ") : String(value ?? "");
}

/**
 * @param {import("./store.js").Question} question
 * @returns {string} Such as "Find: car, person".
 */
export function titleOf(question) {
  const { task, args } = question;
  const form = TASK_FORMS[task];
  const label = form?.label() ?? task;
  const subject = typedOf(question) || place(args) || (form?.kind === "names" ? t("everything") : "");
  return subject ? t("titled", { label, subject }) : label;
}

/** @param {Record<string, any>} args */
function place({ point, box }) {
  if (point) return t("at", { x: Math.round(point[0]), y: Math.round(point[1]) });
  if (!box) return "";
  const [x1, y1, x2, y2] = box.map(Math.round);
  return t("within", { x1, y1, x2, y2 });
}

/**
 * @param {import("./store.js").Question} question
 * @returns {string[]} Its further arguments and options, such as "zoom 2".
 */
export function furtherOf({ task, args, options }) {
  const shown = new Set([TASK_FORMS[task]?.argument, "point", "box"]);
  const told = Object.entries(args).filter(([name]) => !shown.has(name));
  return [...told, ...Object.entries(options)].map(([name, value]) => `${name} ${Array.isArray(value) ? value.join("×") : value}`);
}
