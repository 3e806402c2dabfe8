/** The names of layers, in the language that is shown, until they are changed. */

import { words } from "./words.js";

const t = words({
  boxes: ["Boxes", "框"],
  polygons: ["Outlines", "轮廓"],
  poses: ["Persons", "姿态"],
  mask: ["Mask", "掩码"],
  instances: ["Objects", "物体"],
  labels: ["Classes", "类别"],
  depth: ["Depth", "深度"],
  point: ["Click", "点击"],
  drawn: ["Mask {n}", "掩码 {n}"],
});

/** @typedef {import("./store.js").Layer} Layer */

const ASKED_FOR = ["classes", "what", "phrase", "description", "instruction"];
const LONGEST = 60;

/** @type {Map<string, {asked?: string, n?: number}>} What was asked for, or the number of a mask made by hand; by layer. */
const origins = new Map();

/**
 * Note where a layer comes from, which its name tells.
 *
 * @param {string} key Of the layer.
 * @param {import("./store.js").Question | number} origin The question, or the number of a mask that was made by hand.
 */
export function noteOrigin(key, origin) {
  origins.set(key, typeof origin === "number" ? { n: origin } : { asked: askedFor(origin) });
}

/** @param {import("./store.js").Question} question */
function askedFor({ args }) {
  const found = ASKED_FOR.flatMap((name) => args[name] ?? []);
  return found.join(", ").slice(0, LONGEST);
}

/**
 * @param {Layer} layer
 * @returns {{kind: string, asked: string}} What it shows, and the words that it was asked for by, "" without.
 */
export function namePartsOf({ key, kind, name }) {
  const { asked = "", n } = origins.get(key) ?? {};
  if (name) return { kind: "", asked: name };
  return { kind: n === undefined ? t(kind) : t("drawn", { n }), asked };
}

/**
 * @param {Layer} layer
 * @returns {string} Its name.
 */
export function nameOf(layer) {
  const { kind, asked } = namePartsOf(layer);
  return [kind, asked].filter(Boolean).join(": ");
}
