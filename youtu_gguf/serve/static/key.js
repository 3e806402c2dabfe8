/** The server's key: taken from the address or from a dialog, and exchanged for a cookie that scripts cannot read. */

import { ApiFailure, call, keyWanted } from "./api.js";
import { info } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  title: ["This server asks for a key", "此服务器需要密钥"],
  why: [
    "It was started with --api-key-file: the key is the first line of that file. The browser keeps a cookie in its place until it is closed.",
    "服务器启动时使用了 --api-key-file：密钥是该文件的第一行。浏览器会保存一个 cookie 代替密钥，关闭浏览器后失效。",
  ],
  key: ["Key", "密钥"],
  shown: ["Show it", "显示"],
  go: ["Continue", "继续"],
  later: ["Not now", "暂不输入"],
  wrong: ["This is not the server's key. Compare it with the file, without blanks.", "密钥不正确。请与文件中的内容核对，不要包含空格。"],
  gone: ["The server does not answer. Try again when it runs.", "服务器没有响应。请在其运行后重试。"],
  failed: ["The key could not be tried: {said}", "无法验证密钥：{said}"],
});

const KEPT = "youtu-session";
const problem = signal(/** @type {string | null} */ (null));
const isShown = signal(false);

/** Whether a key was given in this tab, so that it can be taken back. */
export const hasSession = signal(kept());

/** @type {(() => void)[]} */
let waiting = [];

function kept() {
  try {
    return sessionStorage.getItem(KEPT) !== null;
  } catch {
    return false; // storage is turned off
  }
}

/** @returns {Promise<void>} Resolved when the server has taken a key. */
export function keyGiven() {
  return new Promise((resolve) => waiting.push(resolve));
}

/**
 * @param {string} key
 * @returns {Promise<boolean>} Whether the server took it; the dialog says why not.
 */
async function tryKey(key) {
  problem.value = null;
  try {
    await call("POST", "/session", { json: { key } });
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    problem.value = error.status === 401 ? t("wrong") : error.status === 0 ? t("gone") : t("failed", { said: error.message });
    keyWanted.value = true;
    return false;
  }
  keep(true);
  keyWanted.value = false;
  const told = waiting;
  waiting = [];
  for (const resolve of told) resolve();
  return true;
}

/** @param {boolean} has */
function keep(has) {
  hasSession.value = has;
  try {
    if (has) sessionStorage.setItem(KEPT, "1");
    else sessionStorage.removeItem(KEPT);
  } catch {
    // the page knows it until it is loaded again
  }
}

/** Take the key out of the address (`/#key=...`), and use it. */
export async function useKeyOfAddress() {
  const match = /^#key=(.+)$/.exec(location.hash);
  if (!match) return;
  history.replaceState(null, "", location.pathname + location.search);
  await tryKey(decoded(match[1] ?? ""));
}

/** @param {string} text */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

addEventListener("hashchange", () => void useKeyOfAddress().then(tellInfo));

/** Ask the server again what it is, now that it answers. */
async function tellInfo() {
  info.value = await call("GET", "/v1/info").catch(() => info.value);
}

/** Give the cookie back: the page asks for the key again. */
export async function endSession() {
  await call("DELETE", "/session").catch(() => null); // without the cookie there is nothing to end
  keep(false);
  info.value = null;
  keyWanted.value = true;
}

/** @param {SubmitEvent} event */
async function submit(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const field = /** @type {HTMLInputElement} */ (form.elements.namedItem("key"));
  if (await tryKey(field.value.trim())) {
    field.value = "";
    await tellInfo();
  } else field.select();
}

/** @returns {unknown} */
export function keyDialog() {
  if (!keyWanted.value) return nothing;
  return html`<dialog class="key" aria-labelledby="key-title" @close=${() => (keyWanted.value = false)}>
    <form class="stack" @submit=${submit}>
      <h2 id="key-title">${t("title")}</h2>
      <p class="dim">${t("why")}</p>
      <label class="stack"><span>${t("key")}</span>
        <input name="key" type=${isShown.value ? "text" : "password"} autocomplete="current-password" spellcheck="false"
          autocapitalize="off" required autofocus aria-describedby="key-problem" aria-invalid=${problem.value ? "true" : "false"}></label>
      <p id="key-problem" class="problem" role="alert">${problem.value ?? nothing}</p>
      <span class="row">
        <label class="row"><input type="checkbox" .checked=${isShown.value} @change=${() => (isShown.value = !isShown.value)}>${t("shown")}</label>
        <span class="space"></span>
        <button type="button" class="quiet" @click=${(/** @type {any} */ event) => event.target.closest("dialog").close()}>${t("later")}</button>
        <button class="main">${t("go")}</button>
      </span>
    </form>
  </dialog>`;
}

effect(() => {
  if (keyWanted.value) queueMicrotask(() => {
    const dialog = /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog.key"));
    if (dialog && !dialog.open) dialog.showModal();
  });
});
