/** The export panel: an answer as files, and as programs that ask for it again. */

import { ApiFailure } from "./api.js";
import { copyAndTell } from "./clipboard.js";
import { titleOf } from "./forms.js";
import { shortcut } from "./keys.js";
import { maskCoco, maskPng } from "./maskfiles.js";
import { hasSession } from "./key.js";
import { nameOf } from "./names.js";
import { askAgain } from "./questions.js";
import { fetchFile, formsOf } from "./result-files.js";
import { saveFile } from "./saving.js";
import { curlCommand, KEY_VARIABLE, modelOf, pythonCall, pythonRequest } from "./snippets.js";
import { ensureImage } from "./start.js";
import { cards, info, layers, picture, screen } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";
import { computed, effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  title: ["Export", "导出"],
  close: ["Close", "关闭"],
  open: ["Export the newest answer", "导出最新的回答"],
  answer: ["Answer", "回答"],
  every: ["All {n} answers of this picture", "此图像的全部 {n} 个回答"],
  files: ["Files", "文件"],
  step: ["Points", "点"],
  stepOf: ["every pixel", "每个像素"],
  stepOfN: ["every {n}th pixel", "每 {n} 个像素"],
  program: ["The same again", "再次执行"],
  how: ["As", "形式"],
  python: ["Python", "Python"],
  http: ["Python over HTTP", "通过 HTTP 的 Python"],
  copy: ["Copy", "复制"],
  needsPython: ["Needs the package youtu_gguf, and the picture in the folder where it runs.", "需要安装 youtu_gguf 包，并且图像位于运行的文件夹中。"],
  needsHttp: ["Needs Python alone, this server, and the picture in the folder where it runs.", "只需 Python、此服务器，并且图像位于运行的文件夹中。"],
  needsCurl: ["For bash and similar shells, in the folder with the picture.", "适用于 bash 等 shell，在图像所在的文件夹中运行。"],
  needsKey: ["The key is taken from the environment variable {name}.", "密钥取自环境变量 {name}。"],
  needsJson: ["What the server answered.", "服务器的回答。"],
  cut: ["… the rest is copied too", "……其余部分也会被复制"],
  saving: ["Fetching {label}", "正在获取 {label}"],
  saved: ["Saved {name} ({size})", "已保存 {name}（{size}）"],
  savedMany: ["Saved {n} files", "已保存 {n} 个文件"],
  forgotten: ["The server no longer has this answer: it keeps answers for a while only.", "服务器已不再保存此回答：回答只保留一段时间。"],
  askAgain: ["Ask again", "重新提问"],
  noPicture: ["The server no longer has the picture, which this file needs.", "服务器已不再保存此文件所需的图像。"],
  sendAgain: ["Send the picture again", "重新发送图像"],
  unreachable: ["The server cannot be reached. Check that it runs, then try again.", "无法连接服务器。请确认它在运行，然后重试。"],
  failed: ["It could not be fetched: {said}", "无法获取：{said}"],
  mask: ["Mask (PNG)", "掩码（PNG）"],
  maskWhat: ["White inside, black outside", "内部白色，外部黑色"],
  cocoWhat: ["The mask's pixels as run lengths", "掩码像素的游程编码"],
});

/** @typedef {import("./store.js").Result} Result */
/** @typedef {"python" | "http" | "curl" | "json"} Program */

const ALL = "all";
const STEPS = [1, 2, 4];
const PROGRAMS = /** @type {Program[]} */ (["python", "http", "curl", "json"]);
const SHOWN_CHARACTERS = 3000;

const isOpen = signal(false);
const chosen = signal(ALL);
const step = signal(1);
const program = signal(/** @type {Program} */ ("python"));

/** What the panel says of the last download, and what can be done about it. */
const news = signal(/** @type {{text: string, isError?: boolean, action?: {label: string, run: () => void}} | null} */ (null));

/**
 * @typedef {object} Source Something to export.
 * @property {string} key
 * @property {string} title
 * @property {Result} result
 * @property {import("./store.js").Question | null} question Null for masks that were put together by hand.
 * @property {import("./store.js").Layer | null} layer
 */

const sources = computed(() => {
  /** @type {Source[]} */
  const answered = cards.value.flatMap(({ key, question, result }) =>
    result ? [{ key, title: titleOf(question), result, question, layer: null }] : [],
  );
  const made = layers.value.filter((layer) => layer.card === null && layer.kind === "mask").map((layer) => ({
    key: layer.key, title: nameOf(layer), result: layer.result, question: null, layer,
  }));
  return [...answered, ...made];
});

const shownSources = computed(() => {
  const one = sources.value.find(({ key }) => key === chosen.value);
  return one ? [one] : sources.value;
});

/**
 * Open the panel.
 *
 * @param {string} [key] Of the card that is exported; the newest that was answered where it is left out.
 */
export function openExport(key) {
  if (!sources.value.length) return;
  chosen.value = key ?? sources.value[0].key;
  news.value = null;
  isOpen.value = true;
  queueMicrotask(() => {
    const dialog = document.querySelector("dialog.export");
    if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
  });
}

/** @param {number} bytes */
function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/**
 * @param {Source} source
 * @param {string} form
 * @returns {Promise<{file: Blob, name: string}>}
 */
async function made({ result, layer }, form) {
  const image = picture.value?.name ?? "image";
  if (!layer || result.id) return fetchFile(result, form, image, step.value, layer ? nameOf(layer) : "");
  const stem = `${image.replace(/\.[^.]*$/, "")}.${nameOf(layer)}`;
  if (form === "png") return { file: await maskPng(layer), name: `${stem}.png` };
  return { file: new Blob([JSON.stringify(maskCoco(layer))], { type: "application/json" }), name: `${stem}.coco.json` };
}

/**
 * @param {Source[]} wanted
 * @param {string} form
 * @param {string} label
 */
async function save(wanted, form, label) {
  news.value = { text: t("saving", { label }) };
  let last = "";
  for (const source of wanted) {
    try {
      const { file, name } = await made(source, form);
      saveFile(file, name);
      last = t("saved", { name, size: sizeOf(file.size) });
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error;
      news.value = failure(error, source, () => save(wanted, form, label));
      return;
    }
  }
  news.value = { text: wanted.length === 1 ? last : t("savedMany", { n: wanted.length }) };
}

/**
 * @param {ApiFailure} error
 * @param {Source} source
 * @param {() => void} retry
 */
function failure(error, source, retry) {
  const isError = true;
  if (error.code === "result_not_found" && source.question) {
    const again = () => (askAgain(source.key), close());
    return { text: t("forgotten"), isError, action: { label: t("askAgain"), run: again } };
  }
  if (error.code === "result_not_found") return { text: t("forgotten"), isError };
  if (error.code === "image_not_found") {
    const again = () => void ensureImage({ again: true }).then(retry, () => {}); // the bar says why not
    return { text: t("noPicture"), isError, action: { label: t("sendAgain"), run: again } };
  }
  return { text: error.status === 0 ? t("unreachable") : t("failed", { said: error.message }), isError };
}

function close() {
  /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog.export"))?.close();
}

/**
 * @param {Source} source
 * @returns {import("./result-files.js").Form[]}
 */
function formsOfSource({ result, layer }) {
  if (!layer || result.id) return formsOf(result);
  return [
    { name: "coco", label: "COCO", what: t("cocoWhat"), lacks: null, place: 0 },
    { name: "png", label: t("mask"), what: t("maskWhat"), lacks: null, place: 1 },
  ];
}

function fileList() {
  const forms = /** @type {Map<string, {form: import("./result-files.js").Form, from: Source[]}>} */ (new Map());
  for (const source of shownSources.value) {
    for (const form of formsOfSource(source)) {
      const known = forms.get(form.label) ?? { form, from: [] };
      if (form.lacks === null) known.from.push(source);
      forms.set(form.label, known);
    }
  }
  const listed = [...forms.values()].sort((a, b) => a.form.place - b.form.place);
  return html`<ul class="export-files">${listed.map(({ form, from }) => html`<li>
    <button type="button" data-form=${form.name} ?disabled=${from.length === 0} @click=${() => save(from, form.name, form.label)}>
      ${form.label}${from.length > 1 ? html` <span class="dim number">×${from.length}</span>` : nothing}</button>
    <span class="dim">${from.length ? form.what : form.lacks}</span>
    ${form.name === "ply" && from.length ? stepChoice() : nothing}
  </li>`)}</ul>`;
}

function stepChoice() {
  return html`<label class="export-step"><span class="unseen">${t("step")}</span>
    <select @change=${(/** @type {any} */ event) => (step.value = Number(event.target.value))}>
      ${STEPS.map((n) => html`<option value=${n} ?selected=${step.value === n}>${n === 1 ? t("stepOf") : t("stepOfN", { n })}</option>`)}
    </select></label>`;
}

/**
 * @param {Source} source
 * @param {Program} kind
 * @returns {string}
 */
function textOf({ question, result }, kind) {
  if (kind === "json" || !question) return `${JSON.stringify(result, null, 2)}\n`;
  const asked = {
    question,
    file: picture.value?.name ?? "image",
    mediaType: picture.value?.file.type ?? "",
    model: modelOf(info.value),
    type: result.type,
    server: location.origin,
    hasKey: hasSession.value,
  };
  return { python: pythonCall, http: pythonRequest, curl: curlCommand }[kind](asked);
}

const NAMES = /** @type {Record<Program, () => string>} */ ({
  python: () => t("python"), http: () => t("http"), curl: () => "curl", json: () => "JSON",
});
const NEEDS = /** @type {Record<Program, () => string>} */ ({
  python: () => t("needsPython"), http: () => t("needsHttp"), curl: () => t("needsCurl"), json: () => t("needsJson"),
});

/** @param {Source} source */
function programs(source) {
  const offered = source.question ? PROGRAMS : PROGRAMS.slice(-1);
  const kind = offered.includes(program.value) ? program.value : offered[0];
  const text = textOf(source, kind);
  const asksKey = hasSession.value && (kind === "http" || kind === "curl");
  return html`<section class="export-programs">
    <h3 id="export-program">${t("program")}</h3>
    <div class="export-kinds" role="group" aria-label=${t("how")}>${offered.map((name) => html`<button type="button" class="chip"
      data-program=${name} aria-pressed=${name === kind ? "true" : "false"} @click=${() => (program.value = name)}>${NAMES[name]()}</button>`)}
      <button type="button" class="main export-copy" @click=${async () => (news.value = await copyAndTell(text))}>${t("copy")}</button></div>
    <pre tabindex="0" role="region" aria-labelledby="export-program" translate="no">${text.slice(0, SHOWN_CHARACTERS)}</pre>
    <p class="dim">${text.length > SHOWN_CHARACTERS ? t("cut") : NEEDS[kind]()} ${asksKey ? t("needsKey", { name: KEY_VARIABLE }) : nothing}</p>
  </section>`;
}

/** @returns {unknown} */
export function exportPanel() {
  if (!isOpen.value) return nothing;
  const shown = shownSources.value;
  const told = news.value;
  return html`<dialog class="export" aria-labelledby="export-title" @close=${() => (isOpen.value = false)}>
    <header><h2 id="export-title">${t("title")}</h2><button type="button" @click=${close}>${t("close")}</button></header>
    <label class="export-source"><span>${t("answer")}</span>
      <select translate="no" autofocus @change=${(/** @type {any} */ event) => ((chosen.value = event.target.value), (news.value = null))}>
        ${sources.value.map(({ key, title }) => html`<option value=${key} ?selected=${key === chosen.value}>${title}</option>`)}
        ${sources.value.length > 1
          ? html`<option value=${ALL} ?selected=${chosen.value === ALL} translate="yes">${t("every", { n: sources.value.length })}</option>` : nothing}
      </select></label>
    <h3>${t("files")}</h3>
    ${fileList()}
    <p class="export-news ${told?.isError ? "bad" : ""}" role="status">${told?.text ?? nothing}
      ${told?.action ? html`<button type="button" @click=${told.action.run}>${told.action.label}</button>` : nothing}</p>
    ${shown.length === 1 ? programs(shown[0]) : nothing}
  </dialog>`;
}

effect(() => {
  if (isOpen.value && !sources.value.length) close();
});

shortcut("e", () => t("open"), () => openExport(), () => screen.value === "work" && sources.value.length > 0);
