/** The bar over the picture: how much of it was sent, how far the model is with reading it, and what is in the way. */

import { keyWanted } from "./api.js";
import { delay, detailsOf, isShrinking, openQuickCopy, quickShare, refusal, sendAgain, toldAt, unseen } from "./opening.js";
import { copyText } from "./clipboard.js";
import { picture } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  sending: ["Sending the picture: {n} %", "正在发送图片：{n} %"],
  shrinking: ["A smaller copy is being made", "正在生成缩小的副本"],
  opening: ["The server is opening the picture", "服务器正在打开图片"],
  turn: ["The model reads the picture when it is free", "模型空闲后将读取图片"],
  reading: ["Reading the picture", "正在读取图片"],
  part: ["Reading the picture, part {part} of 2: {n} %", "正在读取图片，第 {part} 步（共 2 步）：{n} %"],
  left: ["Reading the picture: {n} %, about {s} s left", "正在读取图片：{n} %，约剩 {s} 秒"],
  quick: ["Read a smaller copy instead: about {s} s", "改为读取缩小的副本：约 {s} 秒"],
  quickNote: ["Positions are then in pixels of the copy.", "坐标将以副本的像素计。"],
  almost: ["Reading the picture: almost done", "正在读取图片：即将完成"],
  read: ["The picture has been read.", "图片已读取。"],
  ask: ["You can ask meanwhile.", "期间也可以提问。"],
  key: ["The server wants a key before it takes the picture.", "服务器需要密钥才能接收图片。"],
  enter: ["Enter the key", "输入密钥"],
  gone: [
    "The server does not answer. Is “youtu-gguf serve” still running? The picture is sent as soon as it is back.",
    "服务器没有响应。“youtu-gguf serve”还在运行吗？服务器恢复后会立即发送图片。",
  ],
  loading: ["The model is being loaded. The picture is sent again in {s} s.", "模型正在加载，{s} 秒后重新发送图片。"],
  busy: ["The server is busy: {said} The picture is sent again in {s} s.", "服务器繁忙：{said} {s} 秒后重新发送图片。"],
  refused: ["The server did not take the picture, so it cannot be asked about.", "服务器未接收此图片，因此无法就其提问。"],
  again: ["Send it again", "重新发送"],
  copy: ["Copy details", "复制详情"],
});

const TICK_MS = 250;
const PERCENT = 100;

/** Seconds of waiting from which on a copy that is read more quickly is offered, and how much shorter that must be. */
const LONG_S = 20;
const MUCH = 0.6;

/** The time by which seconds are counted, while something is. */
const now = signal(performance.now());

/** @type {ReturnType<typeof setInterval> | undefined} */
let ticking;
effect(() => {
  const counts = picture.value?.reading || delay.value?.until;
  if (counts && ticking === undefined) ticking = setInterval(() => (now.value = performance.now()), TICK_MS);
  if (!counts) {
    clearInterval(ticking);
    ticking = undefined;
  }
});

/** @param {import("./store.js").Reading} reading */
function progressOf(reading) {
  const sinceS = Math.max(0, now.value - toldAt.value) / 1000;
  if (reading.left_s !== null) {
    if (!reading.total && !reading.elapsed_s) return { text: t("turn"), share: null };
    const leftS = Math.max(0, reading.left_s - sinceS);
    const share = (reading.elapsed_s + sinceS) / Math.max(1e-3, reading.elapsed_s + sinceS + leftS);
    const n = Math.min(PERCENT - 1, Math.floor(share * PERCENT));
    return { text: leftS < 0.5 ? t("almost") : t("left", { n, s: Math.ceil(leftS) }), share };
  }
  if (!reading.total) return { text: t("reading"), share: null };
  const share = reading.done / reading.total;
  return { text: t("part", { part: reading.stage === "encode" ? 1 : 2, n: Math.floor(share * PERCENT) }), share };
}

/**
 * @param {string} text
 * @param {number | null} share
 * @param {unknown} [below]
 */
function bar(text, share, below = nothing) {
  return html`<div class="reading-bar">
    <span>${text}</span>
    ${share === null
      ? html`<progress aria-label=${text}></progress>`
      : html`<progress aria-label=${text} max="1" .value=${share}></progress>`}
    ${below}
  </div>`;
}

/** @returns {unknown} What holds up the picture. */
function delayed() {
  const held = delay.value;
  if (!held) return nothing;
  const s = held.until === null ? 0 : Math.max(1, Math.ceil((held.until - Date.now() - 0 * now.value) / 1000));
  if (held.failure.status === 401) {
    return html`<div class="reading-bar" role="status"><span>${t("key")}</span>
      <button type="button" @click=${() => (keyWanted.value = true)}>${t("enter")}</button></div>`;
  }
  const said = held.failure.status === 0 ? t("gone")
    : held.failure.code === "loading" ? t("loading", { s }) : t("busy", { said: held.failure.message, s });
  return html`<div class="reading-bar" role="status"><span>${said}</span></div>`;
}

/** @param {number} share */
function sending(share) {
  return share < 1 ? bar(t("sending", { n: Math.floor(share * PERCENT) }), share) : bar(t("opening"), null);
}

/** @returns {unknown} The bar of a picture that is made smaller, or sent, before it can be shown. */
export function unseenBar() {
  const sent = unseen.value;
  if (isShrinking.value) return bar(t("shrinking"), null);
  if (delay.value) return delayed();
  return sent === null ? nothing : sending(sent);
}

/** @returns {unknown} */
export function readingBar() {
  const shown = picture.value;
  if (!shown) return nothing;
  if (isShrinking.value || unseen.value !== null) return unseenBar();
  const failure = refusal.value;
  if (failure) {
    return html`<div class="reading-bar refused" role="alert"><span>${t("refused")} <span translate="no">${failure.message}</span></span>
      <span class="actions">
        <button type="button" @click=${sendAgain}>${t("again")}</button>
        <button type="button" class="quiet" @click=${() => copyText(detailsOf(failure))}>${t("copy")}</button>
      </span></div>`;
  }
  if (delay.value) return delayed();
  return html`${current(shown)}<span class="unseen" role="status">${coarse(shown)}</span>`;
}

/** @param {import("./store.js").Picture} shown */
function current(shown) {
  if (!shown.id) return sending(shown.sent);
  if (!shown.reading) return nothing;
  const { text, share } = progressOf(shown.reading);
  return bar(text, share, quickOffer(shown, shown.reading));
}

/**
 * @param {import("./store.js").Picture} shown
 * @param {import("./store.js").Reading} reading
 */
function quickOffer(shown, reading) {
  const [leftS, saved] = [reading.left_s ?? 0, quickShare(shown)];
  const s = Math.ceil((reading.elapsed_s + leftS) * saved);
  if (leftS < LONG_S || s > leftS * MUCH) return nothing;
  return html`<span class="row"><button type="button" @click=${() => void openQuickCopy(shown)}>${t("quick", { s })}</button>
    <span class="dim">${t("quickNote")}</span></span>`;
}

/**
 * @param {import("./store.js").Picture} shown
 * @returns {string} What is read aloud: it changes seldom.
 */
function coarse(shown) {
  if (!shown.id) return t("opening");
  if (shown.reading) return `${t("reading")}. ${t("ask")}`;
  return shown.state === "ready" ? t("read") : "";
}
