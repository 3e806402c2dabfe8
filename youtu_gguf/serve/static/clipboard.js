/** Copies text, also where the page was not loaded over a secure connection. */

import { notify } from "./panels.js";
import { words } from "./words.js";

const t = words({
  copied: ["Copied.", "已复制。"],
  refused: ["The browser does not let the page copy. Select the text and press Ctrl+C.", "浏览器不允许页面复制。请选中文字后按 Ctrl+C。"],
});

/** @param {string} text */
export async function copyText(text) {
  const isCopied = navigator.clipboard ? await navigator.clipboard.writeText(text).then(() => true, () => false) : false;
  notify(isCopied || copiedByCommand(text) ? { kind: "info", text: t("copied") } : { kind: "error", text: t("refused"), details: text });
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
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy"); // no other way where navigator.clipboard is missing
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return isCopied;
}
