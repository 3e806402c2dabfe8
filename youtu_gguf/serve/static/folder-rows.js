/** The images of a folder as rows: each draws itself when it changes, so that hundreds of them stay quick. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { forgetThumbnail, thumbnail } from "./folder-thumbs.js";
import { shortAnswer } from "./folder-answers.js";
import { words } from "./words.js";

const t = words({
  here: ["not sent", "未发送"],
  sending: ["sending", "发送中"],
  waiting: ["waiting", "等待中"],
  running: ["in progress", "处理中"],
  done: ["done", "完成"],
  failed: ["failed", "失败"],
  open: ["Open in the workbench: {name}", "在工作台打开：{name}"],
  gone: ["This page no longer has the file.", "此页面已没有该文件。"],
  seconds: ["{n} s", "{n} 秒"],
});

/** @typedef {"here" | "sending" | "waiting" | "running" | "done" | "failed"} RowState */

/**
 * @typedef {object} RowFacts What changes about a row.
 * @property {RowState} state
 * @property {number | null} index Its place in the server's batch; null until it was sent.
 * @property {any[]} answers Answers in short, as the server tells them.
 * @property {string | null} error What went wrong, in words.
 * @property {boolean} retryable Whether asking again may help.
 * @property {number | null} seconds How long its answer took.
 * @property {[number, number] | null} size Width and height.
 */

/**
 * @typedef {object} Row
 * @property {string} name Different from that of every other row.
 * @property {File | null} file Null where the batch was begun by another page.
 * @property {import("./vendor/signals-core.js").Signal<RowFacts>} facts
 * @property {HTMLElement} element
 * @property {() => void} end Stops drawing it.
 */

export const UNSENT = /** @type {RowFacts} */ ({ state: "here", index: null, answers: [], error: null, retryable: false, seconds: null, size: null });

/**
 * @param {string} name
 * @param {File | null} file
 * @param {(row: Row) => void} onOpen
 * @returns {Row}
 */
export function makeRow(name, file, onOpen) {
  const element = document.createElement("div");
  element.className = "folder-row";
  element.setAttribute("role", "row");
  const picture = file ? thumbnail(file, element) : null;
  /** @type {Row} */
  const row = { name, file, facts: signal(UNSENT), element, end: () => {} };
  const stop = effect(() => {
    render(cells(row, picture, onOpen), element);
    element.dataset.state = row.facts.value.state;
  });
  row.end = () => {
    stop();
    forgetThumbnail(element);
  };
  return row;
}

/**
 * @param {Row} row
 * @param {Partial<RowFacts>} patch
 */
export function changeRow(row, patch) {
  row.facts.value = { ...row.facts.value, ...patch };
}

/**
 * @param {Row} row
 * @param {Element | null} picture
 * @param {(row: Row) => void} onOpen
 */
function cells(row, picture, onOpen) {
  const { state, answers, error, seconds, size } = row.facts.value;
  const name = html`<span translate="no" dir="auto">${row.name}</span>`;
  return html`
    <span role="cell" class="folder-thumb">${picture ?? nothing}</span>
    <span role="cell" class="folder-name">${row.file
      ? html`<button type="button" class="quiet" title=${t("open", { name: row.name })} aria-label=${t("open", { name: row.name })} @click=${() => onOpen(row)}>${name}</button>`
      : html`<span title=${t("gone")}>${name}</span>`}
      ${size ? html`<span class="dim number">${size[0]} × ${size[1]}</span>` : nothing}</span>
    <span role="cell" class="folder-state"><span class="folder-dot" aria-hidden="true"></span>${t(state)}${seconds !== null && state === "done"
      ? html` <span class="dim number">${t("seconds", { n: seconds.toFixed(1) })}</span>` : nothing}</span>
    <span role="cell" class="folder-answer">${error === null ? answers.map((answer) => shortAnswer(answer, size)) : html`<span class="folder-error" translate="no">${error}</span>`}</span>`;
}
