/** The help: shortcuts, and what the mouse does; and a line for the first visit. */

import { html, nothing } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { shortcut, shortcuts } from "./keys.js";
import { words } from "./words.js";

const t = words({
  title: ["Help", "帮助"],
  open: ["Help", "帮助"],
  close: ["Close", "关闭"],
  gestures: ["In the picture", "在图像上"],
  keys: ["Keys", "按键"],
  click: ["Click a thing to mask it (tool: pick). Drag a box to mask what is in it.", "点击物体得到它的掩码（工具：选取）。拖出一个框，得到框内物体的掩码。"],
  shift: ["Hold Shift to add to the mask, Alt to take away. Enter keeps it, Escape drops it.", "按住 Shift 增加，按住 Alt 减去。Enter 保留，Escape 放弃。"],
  measure: ["Choose the tool measure (M) and drag a line: its length in metres, once there is a depth map and a focal length.", "选择测量工具（M）并拖出一条线：有深度图和焦距时给出米数。"],
  move: ["Space and drag, the middle or right mouse button, or two fingers move the picture. The wheel zooms.", "空格加拖动、鼠标中键或右键、双指可移动图像。滚轮缩放。"],
  hover: ["Point at words in an answer to see their outline in the picture, and the other way round.", "指向回答中的文字即可看到图像中的轮廓，反之亦然。"],
  ask: ["Each Enter asks at once; several questions run side by side. The picture is read only once.", "每次按 Enter 立即提问；多个问题同时进行。图像只读取一次。"],
  keyboard: ["Without a mouse: arrow keys move a crosshair by a pixel, with Shift by ten, and Enter clicks there.", "不用鼠标：方向键把十字光标移动一个像素，加 Shift 移动十个，Enter 即点击。"],
  local: ["Everything stays between this browser and the server: the page loads nothing from elsewhere.", "一切只在此浏览器与服务器之间进行：页面不会从别处加载任何内容。"],
  hint: ["Click a thing in the picture to mask it; drag for a box. Measure: two points. Or choose a task below and press Enter.", "点击图像中的物体得到掩码，拖动画框；测量：两个点。或在下方选择任务并按 Enter。"],
  got: ["Got it", "知道了"],
  all: ["All help", "全部帮助"],
});

const SEEN = "youtu-hint";
const SYMBOLS = /** @type {Record<string, string>} */ ({ ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", " ": "Space" });

const isOpen = signal(false);
const isHinted = signal(!wasSeen());

function wasSeen() {
  try {
    return localStorage.getItem(SEEN) !== null;
  } catch {
    return false; // storage is turned off
  }
}

function dropHint() {
  isHinted.value = false;
  try {
    localStorage.setItem(SEEN, "seen");
  } catch {
    // it is shown again the next time
  }
}

/** Show the help. */
export function openHelp() {
  isOpen.value = true;
  queueMicrotask(() => {
    const dialog = document.querySelector("dialog.help");
    if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
  });
}

/** @returns {unknown} A line for those who are here for the first time. */
export function hint() {
  if (!isHinted.value) return nothing;
  return html`<p class="hint">
    <span>${t("hint")}</span>
    <button type="button" class="quiet" data-help @click=${() => (dropHint(), openHelp())}>${t("all")}</button>
    <button type="button" class="quiet" @click=${dropHint}>${t("got")}</button>
  </p>`;
}

/** @param {string} key @returns {number} The ask line's keys come first, then letters, then the rest. */
const rank = (key) => ("/123456789?".includes(key) ? 0 : /^[a-z]$/.test(key) ? 1 : 2);

/** @param {import("./keys.js").Shortcut} known */
function keyRow({ key, means }) {
  return html`<li><kbd>${SYMBOLS[key] ?? (key.length === 1 ? key.toUpperCase() : key)}</kbd> <span>${means()}</span></li>`;
}

/** @returns {unknown} */
export function helpDialog() {
  if (!isOpen.value) return nothing;
  const sorted = shortcuts.toSorted((a, b) => rank(a.key) - rank(b.key));
  const close = (/** @type {any} */ event) => event.target.closest("dialog").close();
  return html`<dialog class="help" aria-labelledby="help-title" @close=${() => (isOpen.value = false)}>
    <header><h2 id="help-title">${t("title")}</h2><button type="button" autofocus @click=${close}>${t("close")}</button></header>
    <h3>${t("gestures")}</h3>
    <ul>${(/** @type {const} */ (["click", "shift", "measure", "move", "hover", "ask", "keyboard", "local"])).map((key) => html`<li>${t(key)}</li>`)}</ul>
    <h3>${t("keys")}</h3>
    <ul class="shortcuts">${sorted.map(keyRow)}</ul>
  </dialog>`;
}

shortcut("?", () => t("open"), openHelp);
