/** Copies text, also where the page was not loaded over a secure connection. */

import { notify } from "./panels.js";
import { words } from "./words.js";

const t = words({
  copied: ["Copied.", "已复制。"],
  refused: ["The browser does not let the page copy. Select the text and press Ctrl+C.", "浏览器不允许页面复制。请选中文字后按 Ctrl+C。"],
});

/** @param {string} text */
export async function copyText(text) {
  const isCopied = await putOnClipboard(text);
  notify(isCopied ? { kind: "info", text: t("copied") } : { kind: "error", text: t("refused"), details: text });
}

/**
 * @param {string} text
 * @returns {Promise<{text: string, isError: boolean}>} What came of it, for panels that say so themselves.
 */
export async function copyAndTell(text) {
  const isCopied = await putOnClipboard(text);
  return { text: t(isCopied ? "copied" : "refused"), isError: !isCopied };
}

/** @param {string} text */
async function putOnClipboard(text) {
  const isCopied = navigator.clipboard ? await navigator.clipboard.writeText(text).then(() => true, () => false) : false;
  return isCopied || copiedByCommand(text);
}

/**
 * @param {string} text
 * @returns {boolean} Whether it was copied.
 */
function copiedByCommand(text) {
  const field = document.createElement("textarea");
  const before = document.activeElement;
  field.value = text;
  field.className = "unseen";
  (document.querySelector("dialog[open]") ?? document.body).append(field); // all else is inert beside a dialog
  field.select();
  const isCopied = document.execCommand("copy"); // no other way where navigator.clipboard is missing
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}
