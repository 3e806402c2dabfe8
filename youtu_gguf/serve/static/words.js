/** The languages of the page: each module has a table of its words, in English and in Chinese. */

import { signal } from "./vendor/signals-core.js";

/** @typedef {"en" | "zh"} Language */

const KEPT = "youtu-language";

/** The language that is shown; panels that read it are drawn again when it changes. */
export const language = signal(/** @type {Language} */ (kept() ?? ofBrowser()));

/** @returns {Language} */
function ofBrowser() {
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** @returns {Language | null} */
function kept() {
  try {
    const value = localStorage.getItem(KEPT);
    return value === "en" || value === "zh" ? value : null;
  } catch {
    return null; // storage is turned off
  }
}

/** @param {Language} chosen */
export function speak(chosen) {
  language.value = chosen;
  document.documentElement.lang = chosen === "zh" ? "zh-Hans" : "en";
  try {
    localStorage.setItem(KEPT, chosen);
  } catch {
    // it lasts as long as the page
  }
}

/**
 * Make the function that gives a module's words in the language that is shown.
 *
 * `{name}` in a text is replaced by the value of that name. Numbers are formatted by the caller.
 *
 * @template {string} K
 * @param {Record<K, [english: string, chinese: string]>} table
 * @returns {(key: K, values?: Record<string, string | number>) => string}
 */
export function words(table) {
  return (key, values = {}) => {
    const text = table[key][language.value === "zh" ? 1 : 0];
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

document.documentElement.lang = language.value === "zh" ? "zh-Hans" : "en";
