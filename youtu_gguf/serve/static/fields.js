/** The further arguments of a task and the options of a run: fields made of the schemas that the server gives. */

import { html, nothing } from "./vendor/lit-html.js";
import { info } from "./store.js";
import { TASK_FORMS } from "./forms.js";
import { language, words } from "./words.js";

const t = words({
  asServer: ["default ({value})", "默认（{value}）"],
  own: ["as the server", "按服务器"],
  yes: ["yes", "是"],
  no: ["no", "否"],
});

/** @type {Record<string, [english: string, chinese: string]>} Labels; an argument without one has its own name. */
const LABELS = {
  zoom: ["Zoom (1 to 4, auto, auto:2 or auto:3)", "放大（1 至 4、auto、auto:2 或 auto:3）"],
  by: ["How", "方式"],
  present: ["Classes that are there", "出现的类别"],
  background: ["Pixels may have no class", "允许像素不属于任何类别"],
  refine: ["Borders", "边界细化"],
  tiles: ["Tiles, such as 2x2", "分块，例如 2x2"],
  find: ["Without names", "未给类别时"],
  limit: ["Objects at most", "最多物体数"],
  crop_size: ["Crop, short side in pixels (smaller is faster)", "裁剪短边像素（越小越快）"],
  padding: ["Crop relative to the box", "裁剪相对于框的倍数"],
  scale: ["Range", "量程"],
  focal_px: ["Focal length in pixels, unknown or assumed", "焦距（像素），或 unknown、assumed"],
  max_tokens: ["Tokens at most", "最多词元数"],
  max_seconds: ["Seconds at most", "最多秒数"],
  temperature: ["Temperature", "温度"],
  top_p: ["Top p", "核采样 top p"],
  repeat_penalty: ["Repeat penalty", "重复惩罚"],
  seed: ["Seed", "随机种子"],
  lang: ["Language of the prompt", "提示词的语言"],
  strict: ["A flaw is an error", "有瑕疵即报错"],
  scores: ["Scores", "分数"],
};

/** What every task has beside its arguments; and what is drawn in the picture. */
const APART = ["image", "timeout_s", "stream", "options", "output", "box", "point"];

/** Options that have a field, of those that the server takes. */
const SHOWN = ["max_tokens", "max_seconds", "temperature", "top_p", "seed", "lang", "scores", "strict"];

/** @typedef {Record<string, any>} Schema As JSON Schema has it. */

/**
 * @param {string} task
 * @returns {Record<string, Schema>} Schemas of its further arguments; none before the server has told them.
 */
export function argumentSchemas(task) {
  const all = info.value?.tasks?.[task]?.arguments?.properties ?? {};
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => !APART.includes(name) && name !== TASK_FORMS[task]?.argument),
  );
}

/**
 * @param {string} task
 * @returns {Record<string, Schema>} Schemas of the options of a run.
 */
export function optionSchemas(task) {
  const all = info.value?.tasks?.[task]?.arguments?.properties?.options?.properties ?? {};
  return Object.fromEntries(SHOWN.filter((name) => name in all).map((name) => [name, all[name]]));
}

/**
 * @param {string} text What was typed or chosen in a field.
 * @param {Schema} schema
 * @returns {unknown} As the API takes it; undefined for the server's default. What does not fit is left to the server,
 *   whose message says what is expected.
 */
export function valueOf(text, schema) {
  const typed = text.trim();
  if (typed === "") return undefined;
  if (schema.type === "boolean") return typed === "true";
  if (schema.enum || schema.type === "string") return typed;
  const kinds = [schema, ...(schema.anyOf ?? [])].map((kind) => kind.type);
  const parts = typed.split(/[,，x×\s]+/).filter(Boolean);
  const isList = kinds.includes("array") && (parts.length > 1 || schema.type === "array") && parts.every(isNumber);
  return isList ? parts.map(Number) : isNumber(typed) ? Number(typed) : typed;
}

/** @param {string} text */
const isNumber = (text) => Number.isFinite(Number(text));

/**
 * @param {Record<string, string>} typed
 * @param {Record<string, Schema>} schemas
 * @returns {Record<string, unknown>} The values that are not the default.
 */
export function valuesOf(typed, schemas) {
  const values = Object.entries(schemas).map(([name, schema]) => [name, valueOf(typed[name] ?? "", schema)]);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/**
 * @param {Record<string, unknown>} values
 * @returns {Record<string, string>} What stands in the fields for them.
 */
export function typedFor(values) {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : String(value)]),
  );
}

/**
 * @param {string} name
 * @param {Schema} schema
 * @param {string} typed
 * @param {(typed: string) => void} onChange
 * @returns {unknown}
 */
export function field(name, schema, typed, onChange) {
  const label = LABELS[name]?.[language.value === "zh" ? 1 : 0] ?? name;
  const changed = (/** @type {any} */ event) => onChange(event.target.value);
  const choices = schema.type === "boolean" ? ["true", "false"] : schema.enum;
  return html`<label class="field" title=${language.value === "en" ? (schema.description ?? nothing) : nothing}>
    <span>${label} <code translate="no">${name}</code></span>
    ${choices
      ? html`<select .value=${typed} @change=${changed}>
          <option value="" ?selected=${typed === ""}>${defaultOf(name, schema)}</option>
          ${choices.map((/** @type {string} */ choice) => html`<option value=${choice} translate="no" ?selected=${typed === choice}>${told(choice)}</option>`)}
        </select>`
      : html`<input type="text" autocomplete="off" spellcheck="false" inputmode=${isNumeric(schema) ? "decimal" : "text"}
          placeholder=${defaultOf(name, schema)} .value=${typed} @input=${changed}>`}
  </label>`;
}

/** @param {Schema} schema */
const isNumeric = (schema) => ["number", "integer"].includes(schema.type);

/** @param {string} choice */
const told = (choice) => (choice === "true" ? t("yes") : choice === "false" ? t("no") : choice);

/**
 * @param {string} name
 * @param {Schema} schema
 */
function defaultOf(name, schema) {
  const value = name === "scores" ? true : schema.default; // the page asks for scores, unless told otherwise
  if (value === undefined || value === null) return t("own");
  return t("asServer", { value: Array.isArray(value) ? value.join("x") : told(String(value)) });
}
