/** Many images, one task: a table of answers, and the files that other programs read. */

import { html, nothing } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { ApiFailure, call, send } from "./api.js";
import { folderTask, lacksWords, taskOfFolder } from "./folder-task.js";
import { isImage, named } from "./folder-files.js";
import { makeRow } from "./folder-rows.js";
import { attach, batchId, begin, counts, failure, leftS, pause, phase, question, replaceRows, resume, rows, stop } from "./folder-run.js";
import { openRow } from "./folder-open.js";
import { titleOf } from "./forms.js";
import { notify } from "./panels.js";
import { saveFile } from "./saving.js";
import { screen } from "./store.js";
import { words } from "./words.js";

const t = words({
  title: ["Folder", "文件夹"],
  about: ["One task for many pictures. The server asks about them one after the other when nothing else is to be done, also while this page is closed.", "对多幅图像执行同一任务。服务器在空闲时逐一处理，关闭此页面也会继续。"],
  drop: ["Drop pictures or a folder here", "将图像或文件夹拖到这里"],
  files: ["Choose pictures", "选择图像"],
  folder: ["Choose a folder", "选择文件夹"],
  add: ["Add pictures", "添加图像"],
  clear: ["Clear the list", "清空列表"],
  start: ["Start", "开始"],
  startAgain: ["Start again", "重新开始"],
  stop: ["Stop", "停止"],
  resume: ["Resume", "继续"],
  retry: ["Retry the failed ({n})", "重试失败的（{n}）"],
  drawings: ["Drawings in the ZIP", "ZIP 中包含绘制结果"],
  arrays: ["Arrays (.npz) in the ZIP", "ZIP 中包含数组（.npz）"],
  addFolder: ["Add a folder", "添加文件夹"],
  otherFiles: ["Other pictures", "换其他图像"],
  otherFolder: ["Another folder", "换其他文件夹"],
  progress: ["{n} of {all} finished", "已处理 {n} / {all}"],
  failed: ["{n} failed", "{n} 个失败"],
  sent: ["{n} sent", "已发送 {n}"],
  left: ["about {time} left", "约剩 {time}"],
  seconds: ["{n} s", "{n} 秒"],
  minutes: ["{n} min", "{n} 分钟"],
  hours: ["{h} h {m} min", "{h} 小时 {m} 分钟"],
  stopping: ["stopping", "正在停止"],
  stopped: ["stopped", "已停止"],
  full: ["The server has many pictures waiting: the next ones are sent later.", "服务器有许多图像等待处理：稍后发送其余图像。"],
  lost: ["The connection is lost. The page tries again; a server that still runs continues meanwhile.", "连接已断开，页面会重试；服务器若仍在运行，会继续处理。"],
  forgotten: ["The server does not know this batch any more: it was restarted, or a day has passed. Start again.", "服务器已没有此批次：可能已重启，或已超过一天。请重新开始。"],
  error: ["The batch ended: {why}", "批次已结束：{why}"],
  save: ["Save the results", "保存结果"],
  csv: ["CSV", "CSV"],
  coco: ["COCO", "COCO"],
  yolo: ["YOLO", "YOLO"],
  labelme: ["LabelMe", "LabelMe"],
  jsonl: ["JSON lines", "JSON 行"],
  zip: ["ZIP with everything", "ZIP（全部）"],
  noObjects: ["This task has no boxes, masks or outlines.", "此任务没有框、掩码或轮廓。"],
  noOutlines: ["Maps of classes are given as COCO.", "类别图以 COCO 格式提供。"],
  table: ["Pictures", "图像"],
  picture: ["Preview", "预览"],
  name: ["Name", "名称"],
  state: ["State", "状态"],
  answer: ["Answer", "回答"],
  none: ["None of these files is a picture.", "这些文件中没有图像。"],
  skipped: ["Left out, since they are no pictures: {n}", "已略过非图像文件：{n} 个"],
  busy: ["Stop the batch first; then pictures can be added.", "请先停止批次，再添加图像。"],
  others: ["Batches at the server", "服务器上的批次"],
  show: ["Show", "显示"],
  showOf: ["Show: {name}", "显示：{name}"],
  endShow: ["End and show", "结束并显示"],
  mayGrow: ["another page may still be sending pictures", "其他页面可能仍在发送图像"],
  delete: ["Delete", "删除"],
  deleteOf: ["Delete: {name}", "删除：{name}"],
});

/** Tasks whose results tell no places. */
const WITHOUT_OBJECTS = ["ask", "reason", "describe", "ocr", "classify", "depth", "click"];

/** The server's word for a batch that it does not have. */
const GONE = "batch_not_found";

const FORMS = /** @type {const} */ (["csv", "coco", "yolo", "labelme", "jsonl", "zip"]);
const OF_OBJECTS = ["coco", "yolo", "labelme"];
const OF_OUTLINES = ["yolo", "labelme"];
const NAMES = { csv: "results.csv", coco: "coco.json", yolo: "yolo.zip", labelme: "labelme.zip", jsonl: "results.jsonl", zip: "results.zip" };
const MINUTE_S = 60;
const HOUR_S = 3600;
const STEPS = 10;

/** What the archive has beside the results. */
const extras = signal({ drawings: false, arrays: false });
const others = signal(/** @type {any[]} */ ([]));

const list = document.createElement("div");
list.className = "folder-rows";
list.setAttribute("role", "rowgroup");
effect(() => list.replaceChildren(...rows.value.map(({ element }) => element)));

effect(() => {
  if (screen.value === "folder" && !rows.value.length) void findOthers();
});

/** Take files into the list, and show it. @param {Iterable<File>} files */
export function openFolder(files) {
  screen.value = "folder";
  if (isBusy()) {
    notify({ kind: "info", text: t("busy") });
    return;
  }
  const all = [...files];
  const pictures = all.filter(isImage);
  if (all.length && !pictures.length) notify({ kind: "error", text: t("none") });
  else if (pictures.length < all.length) notify({ kind: "info", text: t("skipped", { n: all.length - pictures.length }) });
  if (!pictures.length) return;
  const kept = batchId.value === null ? rows.value : [];
  const taken = new Set(kept.map(({ name }) => name));
  replaceRows([...kept, ...named(pictures, taken).map(({ name, file }) => makeRow(name, file, openRow))]);
}

const isBusy = () => phase.value === "running" || phase.value === "stopping";

async function findOthers() {
  try {
    others.value = (await call("GET", "/v1/batches")).batches;
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    others.value = []; // what is wrong shows when something is begun
  }
}

/** @param {any} form */
async function forget(form) {
  await call("DELETE", `/v1/batches/${form.id}`).catch(tellFailure);
  await findOthers();
}

/** @param {unknown} error */
function tellFailure(error) {
  if (!(error instanceof ApiFailure)) throw error;
  notify({ kind: "error", text: error.message, details: error.requestId ?? undefined });
}

/** @param {(typeof FORMS)[number]} form */
async function save(form) {
  try {
    const answer = await send("GET", `/v1/batches/${batchId.value}/results?as=${form}`);
    saveFile(await answer.blob(), NAMES[form]);
  } catch (error) {
    tellFailure(error);
  }
}

/** @param {number} seconds */
function timeOf(seconds) {
  if (seconds < MINUTE_S) return t("seconds", { n: Math.ceil(seconds) });
  if (seconds < HOUR_S) return t("minutes", { n: Math.ceil(seconds / MINUTE_S) });
  return t("hours", { h: Math.floor(seconds / HOUR_S), m: Math.round((seconds % HOUR_S) / MINUTE_S) });
}

/** @param {any} event */
function chosen(event) {
  openFolder(event.target.files ?? []);
  event.target.value = "";
}

/** @param {string} label @param {boolean} isFolder */
function picker(label, isFolder) {
  return html`<label class="button folder-pick">${label}<input type="file" class="unseen" multiple accept=${isFolder ? nothing : "image/*,.heic,.heif,.avif"}
    ?webkitdirectory=${isFolder} ?disabled=${isBusy()} @change=${chosen}></label>`;
}

function summary() {
  const { all, sent, done, failed } = counts.value;
  const left = leftS.value;
  const parts = [
    t("progress", { n: done + failed, all }),
    failed ? t("failed", { n: failed }) : "",
    phase.value === "running" && sent < all ? t("sent", { n: sent }) : "",
    phase.value === "running" && left ? t("left", { time: timeOf(left) }) : "",
    phase.value === "stopping" ? t("stopping") : phase.value === "stopped" ? t("stopped") : "",
  ];
  return parts.filter(Boolean).join(" · ");
}

/** What is read aloud: not each image, but each tenth of them. */
function spoken() {
  const { all, done, failed } = counts.value;
  const step = Math.ceil(all / STEPS);
  const n = phase.value === "running" ? Math.floor((done + failed) / step) * step : done + failed;
  return t("progress", { n, all });
}

function troubles() {
  const found = failure.value;
  const isForgotten = found?.code === GONE;
  return html`${pause.value && isBusy() ? html`<p class="warning" role="status">${t(pause.value)}</p>` : nothing}
    ${found ? html`<p class="folder-error" role="alert">${isForgotten ? t("forgotten") : t("error", { why: found.message })}</p>` : nothing}`;
}

function controls() {
  const { retryable } = counts.value;
  const now = phase.value;
  const canResume = now === "stopped" || (now === "failed" && failure.value?.code !== GONE && batchId.value);
  const canStart = rows.value.every(({ file }) => file);
  const start = () => {
    if (!lacksWords()) void begin(taskOfFolder(), extras.value);
  };
  if (isBusy()) return nothing;
  return html`${canResume ? html`<button type="button" class="main" @click=${() => resume()}>${t("resume")}</button>` : nothing}
    ${now === "done" && retryable ? html`<button type="button" class="main" @click=${() => resume()}>${t("retry", { n: retryable })}</button>` : nothing}
    ${canStart ? html`<button type="button" class=${now === "idle" ? "main" : ""} @click=${start}>${now === "idle" ? t("start") : t("startAgain")}</button>` : nothing}
    ${picker(t(batchId.value ? "otherFiles" : "add"), false)} ${picker(t(batchId.value ? "otherFolder" : "addFolder"), true)}
    <button type="button" class="quiet" @click=${() => replaceRows([])}>${t("clear")}</button>`;
}

function saving() {
  const asked = question.value;
  if (!asked || !batchId.value || !counts.value.done || failure.value?.code === GONE) return nothing;
  /** @param {string} form */
  const lacking = (form) => {
    if (OF_OBJECTS.includes(form) && WITHOUT_OBJECTS.includes(asked.task)) return t("noObjects");
    return OF_OUTLINES.includes(form) && asked.task === "segment" ? t("noOutlines") : "";
  };
  return html`<div class="folder-save" role="group" aria-label=${t("save")}><span class="dim">${t("save")}:</span>
    ${FORMS.map((form) => html`<button type="button" data-save=${form} ?disabled=${Boolean(lacking(form))}
      title=${lacking(form) || nothing} @click=${() => save(form)}>${t(form)}</button>`)}</div>`;
}

function empty() {
  return html`<div class="folder-drop">
      <p class="folder-big">${t("drop")}</p>
      <p class="actions">${picker(t("files"), false)} ${picker(t("folder"), true)}</p>
    </div>
    ${others.value.length ? html`<h2>${t("others")}</h2><ul class="folder-others">${others.value.map(other)}</ul>` : nothing}`;
}

/** @param {any} form A batch that the server has. */
function other(form) {
  const [{ task, ...args }] = form.tasks;
  const name = titleOf({ task, args, options: {} });
  const told = [t("progress", { n: form.done + form.failed, all: form.total }), form.failed ? t("failed", { n: form.failed }) : ""];
  const isOpen = form.state === "open";
  if (isOpen) told.push(t("mayGrow"));
  return html`<li class="panel"><span><strong translate="no">${name}</strong> <span class="dim">${told.filter(Boolean).join(" · ")}</span></span>
    <span class="actions"><button type="button" aria-label=${t("showOf", { name })} @click=${() => attach(form, (row) => makeRow(row, null, openRow)).catch(tellFailure)}>${t(isOpen ? "endShow" : "show")}</button>
    <button type="button" class="quiet danger" aria-label=${t("deleteOf", { name })} @click=${() => forget(form)}>${t("delete")}</button></span></li>`;
}

/** @param {"drawings" | "arrays"} name */
function extra(name) {
  return html`<label><input type="checkbox" .checked=${extras.value[name]} ?disabled=${isBusy()}
    @change=${(/** @type {any} */ event) => (extras.value = { ...extras.value, [name]: event.target.checked })}> ${t(name)}</label>`;
}

function work() {
  const { all, done, failed } = counts.value;
  const begun = phase.value !== "idle";
  return html`<div class="folder-head panel">
      ${folderTask(isBusy())}
      <p class="folder-extras">${extra("drawings")} ${extra("arrays")}</p>
      <p class="actions folder-controls" ?hidden=${isBusy()}>${controls()}</p>
    </div>
    <div class="folder-bar panel">
      ${begun ? html`<progress max=${all} .value=${done + failed} aria-label=${t("title")}></progress>` : nothing}
      <p class="folder-progress"><span>${question.value ? html`<strong translate="no">${titleOf(question.value)}</strong> · ` : nothing}<span data-summary>${summary()}</span></span>
        ${isBusy() ? html`<button type="button" data-stop ?disabled=${phase.value === "stopping"} @click=${() => stop()}>${t("stop")}</button>` : nothing}</p>
      <p class="unseen" aria-live="polite">${begun ? spoken() : nothing}</p>
      ${troubles()} ${saving()}
    </div>
    <div class="folder-table" role="table" aria-label=${t("table")} aria-rowcount=${all}>
      <div role="rowgroup"><div class="folder-row folder-heads" role="row">
        <span role="columnheader"><span class="unseen">${t("picture")}</span></span><span role="columnheader">${t("name")}</span>
        <span role="columnheader">${t("state")}</span><span role="columnheader">${t("answer")}</span></div></div>
      ${list}
    </div>`;
}

/** @returns {unknown} */
export function folderScreen() {
  if (screen.value !== "folder") return nothing;
  return html`<div class="screen-body folder">
    <header><h1>${t("title")}</h1><p class="dim">${t("about")}</p></header>
    ${rows.value.length ? work() : empty()}
  </div>`;
}
