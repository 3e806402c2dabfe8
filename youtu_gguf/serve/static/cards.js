/** The answers: a card for each question, each drawn by itself so that those that stream leave the others alone. */

import { html, nothing, render } from "./vendor/lit-html.js";
import { computed, effect } from "./vendor/signals-core.js";
import { answerOf } from "./answer.js";
import { copyText } from "./clipboard.js";
import { compareWith } from "./compare.js";
import { edit } from "./draft.js";
import { focusAsk } from "./ask.js";
import { openExport } from "./export.js";
import { furtherOf, titleOf } from "./forms.js";
import { askAgain, isRunning, now, removeCard, stop } from "./questions.js";
import { cards, marked, picture } from "./store.js";
import { gistOf, textOf } from "./values.js";
import { words } from "./words.js";

const t = words({
  empty: ["No questions yet. Answers appear here, the newest first.", "还没有提问。回答会显示在这里，最新的在前。"],
  waiting: ["waiting for the picture", "等待图像"],
  retrying: ["asking again in {s} s", "{s} 秒后重试"],
  queued: ["in the queue", "排队中"],
  place: ["place {position} in the queue, about {s} s", "排在第 {position} 位，约 {s} 秒"],
  reading: ["reading", "读取中"],
  writing: ["writing", "书写中"],
  drawing: ["drawing", "绘制中"],
  drawn: ["drawing {done} of {total}", "绘制第 {done} 个，共 {total} 个"],
  done: ["done", "完成"],
  failed: ["failed", "失败"],
  stopped: ["stopped", "已停止"],
  keptWords: ["stopped; what was written is kept", "已停止；已写内容保留"],
  writtenSoFar: ["writing, {n} tokens so far", "书写中，已写 {n} 个词元"],
  seconds: ["{s} s", "{s} 秒"],
  stop: ["Stop", "停止"],
  again: ["Ask again", "重新提问"],
  edit: ["Edit", "编辑"],
  compare: ["Compare", "比较"],
  export: ["Export", "导出"],
  copy: ["Copy", "复制"],
  remove: ["Remove", "移除"],
  removeOf: ["Remove: {title}", "移除：{title}"],
  stopOf: ["Stop: {title}", "停止：{title}"],
  announced: ["{title}: {stage}", "{title}：{stage}"],
  lost: ["The connection to the server was lost. What was written is kept.", "与服务器的连接中断。已写内容保留。"],
  unreachable: ["The server cannot be reached. Check that it runs, then ask again.", "无法连接服务器。请确认它在运行，然后重新提问。"],
  full: ["The queue of the server is full.", "服务器队列已满。"],
  loading: ["The server is loading its model.", "服务器正在载入模型。"],
  page: ["The page failed; this is a fault of it.", "页面出错；这是页面的缺陷。"],
  request: ["request {id}", "请求 {id}"],
  copyId: ["Copy the request's id", "复制请求编号"],
  details: ["Tokens and request", "词元与请求"],
  copyError: ["Copy details", "复制详情"],
  readHere: ["picture read: {s} s", "读取图像：{s} 秒"],
  readOnce: ["picture read once: {s} s", "图像只读取一次：{s} 秒"],
  then: ["; ", "；"],
  cost: ["this answer: {s} s", "本次回答：{s} 秒"],
  cached: ["{cached} of {prompt} prompt tokens reused", "复用 {prompt} 个提示词元中的 {cached} 个"],
  tokens: ["{n} tokens written", "写出 {n} 个词元"],
  finish: ["ended by: {finish}", "结束原因：{finish}"],
  length: ["the limit of tokens", "词元上限"],
  time: ["the limit of time", "时间上限"],
  loop: ["repeating itself", "不断重复"],
  cancelled: ["a stop", "被停止"],
});

/** @typedef {import("./store.js").Card} Card */

/** @param {Card} card */
function stageOf(card) {
  const { stage, position, etaS, progress } = card;
  if (card.retryAt !== null) return t("retrying", { s: Math.max(0, Math.ceil((card.retryAt - now.value) / 1000)) });
  if (stage === "queued" && position) return t("place", { position, s: Math.ceil(etaS ?? 0) });
  if (stage === "drawing" && progress) return t("drawn", { done: progress.done, total: progress.total });
  if (stage === "writing" && progress?.stage === "generate") return t("writtenSoFar", { n: progress.done });
  return stage === "stopped" && card.text ? t("keptWords") : t(stage);
}

/** @param {Card} card */
function progressOf({ stage, progress, question }) {
  if (!progress || progress.stage === "generate" || progress.total < 1) return nothing; // an answer's length is not known
  return html`<progress max=${progress.total} .value=${progress.done} aria-label=${`${titleOf(question)}: ${t(stage)}`}></progress>`;
}

/** @param {import("./api.js").ApiFailure | null} failure Why a question is not answered yet. */
const waitsFor = (failure) => t(failure?.status === 429 ? "full" : "loading");

/** @param {Card} card */
function failureOf({ failure, text, requestId, retryAt }) {
  if (!failure) return nothing;
  const said = failure.status === 0 ? t(text ? "lost" : "unreachable") : failure.status === -1 ? t("page") : null;
  const own = retryAt === null ? said : waitsFor(failure);
  const id = failure.requestId ?? requestId;
  const details = [`${failure.status} ${failure.code}`, failure.message, id].filter(Boolean).join("\n");
  return html`<div class="failure ${retryAt === null ? "" : "mild"}">
    ${own ? html`<p>${own}</p>` : nothing}
    ${own && failure.status === 0 ? nothing : html`<p class=${own ? "dim" : ""} translate="no">${failure.message}</p>`}
    <p class="actions">
      ${id ? html`<code class="dim" translate="no">${t("request", { id })}</code>` : nothing}
      <button type="button" class="quiet small" @click=${() => copyText(details)}>${t("copyError")}</button>
    </p>
  </div>`;
}

/** @param {number} seconds */
const told = (seconds) => seconds.toFixed(seconds < 0.1 ? 2 : seconds < 100 ? 1 : 0);

/** @param {Card} card */
function costOf({ result, requestId }) {
  if (!result) return nothing;
  const { timings, usage, finish } = result;
  const readS = picture.value?.readS ?? null;
  const ownS = timings.total_s - timings.queue_s - timings.wait_s - (readS === null ? 0 : Math.min(timings.encode_s, readS));
  const parts = [
    readS === null ? (timings.encode_s >= 0.05 ? t("readHere", { s: told(timings.encode_s) }) : "") : t("readOnce", { s: told(readS) }),
    t("cost", { s: told(Math.max(0, ownS)) }),
  ];
  const ends = /** @type {Record<string, string>} */ ({ length: t("length"), time: t("time"), loop: t("loop"), cancelled: t("cancelled") });
  return html`<p class="cost">${parts.filter(Boolean).join(t("then"))}</p>
    <details class="cost dim"><summary>${t("details")}</summary>
      <p>${t("cached", { cached: usage.cached_tokens, prompt: usage.prompt_tokens })}${usage.generated_tokens
        ? ` · ${t("tokens", { n: usage.generated_tokens })}` : nothing}</p>
      ${requestId ? html`<button type="button" class="id" title=${t("copyId")} @click=${() => copyText(requestId)}
        ><code translate="no">${requestId}</code></button>` : nothing}
    </details>
    ${["stop", "none"].includes(finish) ? nothing : html`<p class="warning">${t("finish", { finish: ends[finish] ?? finish })}</p>`}`;
}

/** @param {Card} card */
function actionsOf(card) {
  const { key, question, result, text } = card;
  const change = () => (edit(question), focusAsk());
  const button = (/** @type {string} */ label, /** @type {() => void} */ run) =>
    html`<button type="button" class="quiet small" @click=${run}>${label}</button>`;
  return html`<p class="actions">
    ${isRunning(card) ? nothing : button(t("again"), () => askAgain(key))}
    ${button(t("edit"), change)}
    ${result ? button(t("compare"), () => compareWith(key)) : nothing}
    ${result ? button(t("export"), () => openExport(key)) : nothing}
    ${result || text ? button(t("copy"), () => copyText(result ? textOf(result) : text)) : nothing}
  </p>`;
}

/** @param {Card} card What a screen reader is told: the stage when it changes, and the end. */
function announced({ stage, result, question, failure, retryAt }) {
  const end = retryAt !== null ? waitsFor(failure) : stage === "done" && result ? gistOf(result) : stage === "failed" && failure ? `${t("failed")}. ${failure.message}` : t(stage);
  return t("announced", { title: titleOf(question), stage: end.slice(0, 300) });
}

/**
 * @param {Card} card
 * @param {number | null} chosen The item that is marked.
 */
function cardOf(card, chosen) {
  const { key, question, stage } = card;
  const elapsedS = ((card.ended ?? now.value) - card.began) / 1000;
  const further = furtherOf(question).join(" · ");
  return html`
    <header>
      <h3 id=${`title-${key}`} dir="auto" translate="no">${titleOf(question)}</h3>
      ${isRunning(card)
        ? html`<button type="button" class="small" aria-label=${t("stopOf", { title: titleOf(question) })} @click=${() => stop(key)}>${t("stop")}</button>`
        : nothing}
      <button type="button" class="quiet small" title=${t("remove")} aria-label=${t("removeOf", { title: titleOf(question) })}
        @click=${() => (removeCard(key), focusAsk())}>×</button>
    </header>
    ${further ? html`<p class="dim further" translate="no">${further}</p>` : nothing}
    ${stage === "done" ? nothing : html`<p class="stage ${stage}">${stageOf(card)}${isRunning(card)
      ? html`<span class="dim"> · ${t("seconds", { s: Math.max(0, Math.floor(elapsedS)) })}</span>` : nothing}</p>`}
    ${progressOf(card)}
    ${failureOf(card)}
    ${answerOf(card, chosen)}
    <footer>${costOf(card)}${actionsOf(card)}</footer>
    <p class="unseen" aria-live="polite" translate="no">${announced(card)}</p>`;
}

const list = document.createElement("div");
list.className = "cards";

/** @type {Map<string, {host: HTMLElement, dispose: () => void}>} */
const shown = new Map();

/** @param {string} key */
function show(key) {
  const host = document.createElement("article");
  host.className = "card";
  host.dataset.card = key;
  host.setAttribute("aria-labelledby", `title-${key}`);
  const card = computed(() => cards.value.find((one) => one.key === key));
  const chosen = computed(() => (marked.value?.card === key ? marked.value.item : null));
  const dispose = effect(() => {
    if (!card.value) return;
    host.dataset.stage = card.value.stage;
    render(cardOf(card.value, chosen.value), host);
  });
  const follow = effect(() => {
    if (chosen.value !== null) reveal(host, chosen.value);
  });
  shown.set(key, { host, dispose: () => (dispose(), follow()) });
  return host;
}

/**
 * Bring the row of an item into view, where the answers scroll by themselves.
 *
 * @param {HTMLElement} host
 * @param {number} item
 */
function reveal(host, item) {
  const scrolls = getComputedStyle(host.closest("#answers") ?? host).overflowY === "auto";
  if (scrolls && !host.matches(":hover, :focus-within")) {
    for (const part of host.querySelectorAll(`[data-item="${item}"], mark.marked`)) part.scrollIntoView({ block: "nearest" });
  }
}

effect(() => {
  const keys = cards.value.map((card) => card.key);
  for (const [key, { host, dispose }] of shown) {
    if (keys.includes(key)) continue;
    dispose();
    host.remove();
    shown.delete(key);
  }
  keys.toReversed().forEach((key) => {
    const host = shown.get(key)?.host ?? show(key);
    if (host.parentNode !== list) {
      list.prepend(host);
      list.closest("#answers")?.scrollTo(0, 0); // where the answers scroll by themselves
    }
  });
});

/** @returns {unknown} */
export function cardList() {
  return html`${cards.value.length ? nothing : html`<p class="dim">${t("empty")}</p>`}${list}`;
}
