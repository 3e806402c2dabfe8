/** What was asked before: kept in this browser, never at the server; searched, opened again and deleted. */

import { html, nothing } from "./vendor/lit-html.js";
import { computed, effect, signal } from "./vendor/signals-core.js";
import { titleOf } from "./forms.js";
import { notify } from "./panels.js";
import { allRecords, deleteAll, deleteRecord } from "./records.js";
import { forgetFiles, isKeeping, keep, mostBytes, openRecord, trouble, turn, written } from "./remembering.js";
import { screen } from "./store.js";
import { gistOf } from "./values.js";
import { language, words } from "./words.js";

const t = words({
  title: ["History", "历史"],
  where: ["Kept in this browser only, never at the server. Pictures larger than {most} MB are not kept, only their answers.", "仅保存在此浏览器中，不会保存在服务器上。大于 {most} MB 的图像不保存，只保存回答。"],
  search: ["Search names, questions and answers", "搜索名称、问题和回答"],
  keep: ["Keep a history", "保存历史"],
  none: ["Nothing is kept yet: ask something about a picture.", "还没有记录：请先对图像提问。"],
  noMatch: ["Nothing matches.", "没有匹配的记录。"],
  off: ["The history is off: what you ask now is not kept.", "历史已关闭：现在的提问不会保存。"],
  missing: ["This browser keeps nothing here ({why}). Private windows often do not.", "此浏览器不在此保存数据（{why}）。隐私窗口通常如此。"],
  used: ["{used} MB of {quota} MB that this browser allows", "已用 {used} MB，浏览器允许 {quota} MB"],
  open: ["Open again", "重新打开"],
  delete: ["Delete", "删除"],
  openOf: ["Open again: {name}", "重新打开：{name}"],
  deleteOf: ["Delete: {name}", "删除：{name}"],
  deleteAll: ["Delete all", "全部删除"],
  sure: ["Delete all {n}? This cannot be undone.", "删除全部 {n} 条？此操作无法撤销。"],
  yes: ["Delete all", "全部删除"],
  no: ["Keep them", "保留"],
  deleted: ["Deleted.", "已删除。"],
  noFile: ["picture not kept", "图像未保存"],
  more: ["and {n} more", "另有 {n} 条"],
});

const MEGA = 1e6;
const SHOWN_CARDS = 4;

/** What `remember` is called for when a card is done. */
export const remember = keep;

const records = signal(/** @type {import("./records.js").PictureRecord[]} */ ([]));
const searched = signal("");
const asksToDelete = signal(false);
const room = signal(/** @type {{used: number, quota: number} | null} */ (null));

/** Addresses of the thumbnails that are shown, by record. @type {Map<string, {blob: Blob, url: string}>} */
const thumbnails = new Map();

async function refresh() {
  try {
    records.value = await allRecords();
    trouble.value = null;
  } catch (error) {
    trouble.value = String(error);
  }
  const estimate = await navigator.storage?.estimate?.(); // missing where the connection is not secure
  room.value = estimate ? { used: estimate.usage ?? 0, quota: estimate.quota ?? 0 } : null;
}

effect(() => {
  written.value; // again after each change
  if (screen.value === "history") void refresh();
});

/** @param {() => Promise<void>} change */
async function deleting(change) {
  asksToDelete.value = false;
  try {
    await change();
    forgetFiles();
    notify({ kind: "info", text: t("deleted") });
  } catch (error) {
    trouble.value = String(error);
  }
  await refresh();
}

const found = computed(() => {
  const sought = searched.value.trim().toLowerCase();
  return sought ? records.value.filter((record) => toldOf(record).includes(sought)) : records.value;
});

/** @param {import("./records.js").PictureRecord} record */
function toldOf({ name, cards }) {
  const told = cards.map(({ question, text, result }) => `${titleOf(question)} ${text} ${result?.raw ?? ""}`);
  return `${name} ${told.join(" ")}`.toLowerCase();
}

/** @param {import("./records.js").PictureRecord} record */
function pictureOf({ id, thumbnail }) {
  if (!thumbnail) return nothing;
  const known = thumbnails.get(id);
  if (known?.blob.size !== thumbnail.size) {
    if (known) URL.revokeObjectURL(known.url);
    thumbnails.set(id, { blob: thumbnail, url: URL.createObjectURL(thumbnail) });
  }
  return html`<img src=${/** @type {any} */ (thumbnails.get(id)).url} alt="">`;
}

/** @param {import("./records.js").KeptCard} card */
function cardRow({ question, result, text }) {
  const gist = result ? gistOf(result) : text;
  return html`<li translate="no"><span>${titleOf(question)}</span> <span class="dim">${gist.length > 120 ? `${gist.slice(0, 120)}…` : gist}</span></li>`;
}

/** @param {import("./records.js").PictureRecord} record */
function row(record) {
  const { id, name, time, cards, hasFile } = record;
  const when = new Date(time).toLocaleString(language.value === "zh" ? "zh-CN" : "en", { dateStyle: "medium", timeStyle: "short" });
  return html`<li class="record panel" data-record=${id}>
    <span class="thumb">${pictureOf(record)}</span>
    <div>
      <h2 dir="auto" translate="no">${name}</h2>
      <p class="dim">${when} · ${record.width} × ${record.height}${hasFile ? nothing : ` · ${t("noFile")}`}</p>
      <ul class="asked">${cards.slice(0, SHOWN_CARDS).map(cardRow)}
        ${cards.length > SHOWN_CARDS ? html`<li class="dim">${t("more", { n: cards.length - SHOWN_CARDS })}</li>` : nothing}</ul>
    </div>
    <p class="actions">
      <button type="button" aria-label=${t("openOf", { name })} @click=${() => openRecord(record)}>${t("open")}</button>
      <button type="button" class="quiet danger" aria-label=${t("deleteOf", { name })} @click=${() => deleting(() => deleteRecord(id))}>${t("delete")}</button>
    </p>
  </li>`;
}

function deletion() {
  if (!records.value.length) return nothing;
  if (!asksToDelete.value) return html`<button type="button" class="quiet danger" @click=${() => (asksToDelete.value = true)}>${t("deleteAll")}</button>`;
  return html`<span role="alert">${t("sure", { n: records.value.length })}</span>
    <button type="button" class="danger" @click=${() => deleting(deleteAll)}>${t("yes")}</button>
    <button type="button" @click=${() => (asksToDelete.value = false)}>${t("no")}</button>`;
}

/** @returns {unknown} */
export function historyScreen() {
  if (screen.value !== "history") return nothing;
  const none = records.value.length ? t("noMatch") : t("none");
  return html`<div class="screen-body history">
    <header><h1>${t("title")}</h1><p class="dim">${t("where", { most: mostBytes / MEGA })}</p></header>
    ${trouble.value ? html`<p class="warning" role="alert">${t("missing", { why: trouble.value })}</p>` : nothing}
    <div class="bar">
      <input type="search" aria-label=${t("search")} placeholder=${t("search")} .value=${searched.value}
        @input=${(/** @type {any} */ event) => (searched.value = event.target.value)}>
      <label class="switch"><input type="checkbox" .checked=${isKeeping.value} @change=${(/** @type {any} */ event) => turn(event.target.checked)}> ${t("keep")}</label>
      ${deletion()}
    </div>
    ${isKeeping.value ? nothing : html`<p class="warning">${t("off")}</p>`}
    ${room.value ? html`<p class="dim">${t("used", { used: (room.value.used / MEGA).toFixed(1), quota: Math.round(room.value.quota / MEGA) })}</p>` : nothing}
    ${found.value.length ? html`<ul class="records">${found.value.map(row)}</ul>` : trouble.value ? nothing : html`<p>${none}</p>`}
  </div>`;
}
