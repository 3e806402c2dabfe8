/** The head of the page: screens, language, theme; and the notices. */

import { html, nothing } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { dismiss, notices } from "./panels.js";
import { picture, screen } from "./store.js";
import { language, speak, words } from "./words.js";

const t = words({
  screens: ["Screens", "页面"],
  start: ["Open", "打开"],
  work: ["Picture", "图像"],
  compare: ["Compare", "比较"],
  history: ["History", "历史"],
  folder: ["Folder", "文件夹"],
  about: ["About", "关于"],
  theme: ["Theme", "主题"],
  auto: ["Theme: system", "主题：系统"],
  dark: ["Theme: dark", "主题：深色"],
  light: ["Theme: light", "主题：浅色"],
  close: ["Close", "关闭"],
  copy: ["Copy details", "复制详情"],
  skip: ["Skip to the content", "跳到内容"],
});

/** @typedef {"auto" | "dark" | "light"} Theme */

const KEPT = "youtu-theme";
const SCREENS = /** @type {const} */ (["start", "work", "compare", "history", "folder", "about"]);
const THEMES = /** @type {const} */ (["auto", "dark", "light"]);

const theme = signal(/** @type {Theme} */ ("auto"));

/** @param {Theme} chosen */
function dress(chosen) {
  theme.value = chosen;
  document.documentElement.dataset.theme = chosen;
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // it lasts as long as the page
  }
}

try {
  const kept = localStorage.getItem(KEPT);
  if (kept === "dark" || kept === "light") dress(kept);
} catch {
  // storage is turned off
}

/** @param {import("./store.js").Screen} name */
function tab(name) {
  const isHere = screen.value === name;
  return html`<button
    type="button"
    class="tab"
    aria-current=${isHere ? "page" : nothing}
    ?disabled=${(name === "work" || name === "compare") && !picture.value}
    @click=${() => (screen.value = name)}
  >
    ${t(name)}
  </button>`;
}

/** @returns {unknown} */
export function header() {
  return html`
    <a class="skip" href="#main">${t("skip")}</a>
    <span class="brand" translate="no"><span class="eye" aria-hidden="true"></span>youtu-gguf</span>
    <nav aria-label=${t("screens")}>${SCREENS.map(tab)}</nav>
    <span class="choices">
      <button type="button" class="quiet" lang=${language.value === "zh" ? "en" : "zh-Hans"}
        @click=${() => speak(language.value === "zh" ? "en" : "zh")}>${language.value === "zh" ? "English" : "中文"}</button>
      <select class="quiet" aria-label=${t("theme")} .value=${theme.value}
        @change=${(/** @type {any} */ event) => dress(event.target.value)}>
        ${THEMES.map((name) => html`<option value=${name} ?selected=${theme.value === name}>${t(name)}</option>`)}
      </select>
    </span>
  `;
}

/** @param {import("./panels.js").Notice} notice */
function noticeOf(notice) {
  const details = notice.details;
  return html`<li class="notice ${notice.kind}" role=${notice.kind === "error" ? "alert" : "status"}>
    <p>${notice.text}</p>
    <span class="actions">
      ${notice.action
        ? html`<button type="button" @click=${() => (dismiss(notice.number), notice.action?.run())}>
            ${notice.action.label}
          </button>`
        : nothing}
      ${details
        ? html`<button type="button" class="quiet" @click=${() => navigator.clipboard?.writeText(details)}>
            ${t("copy")}
          </button>`
        : nothing}
      <button type="button" class="quiet" aria-label=${t("close")} @click=${() => dismiss(notice.number)}>×</button>
    </span>
  </li>`;
}

/** @returns {unknown} */
export function noticeList() {
  return html`<ul class="notices">${notices.value.map(noticeOf)}</ul>`;
}
