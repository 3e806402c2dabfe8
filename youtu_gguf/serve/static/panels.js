/** How panels come to be on the page: templates that are drawn again when a signal that they read changes. */

import { render } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";

/**
 * Show a panel in an element, and keep it up to date.
 *
 * @param {Element | null} element
 * @param {() => unknown} panel Returns a template; the signals that it reads are those that redraw it.
 */
export function mount(element, panel) {
  if (!(element instanceof HTMLElement)) throw new Error("there is no element for a panel");
  element.replaceChildren(); // what is shown until the modules are there
  effect(() => {
    render(panel(), element);
  });
}

/**
 * @typedef {object} Notice
 * @property {number} number
 * @property {"info" | "error"} kind
 * @property {string} text What happened, and what to do.
 * @property {string} [details] To be copied: a request id, the server's words.
 * @property {{label: string, run: () => void}} [action]
 */

/** Notices that are shown, the oldest first. */
export const notices = signal(/** @type {Notice[]} */ ([]));

const SHOWN_MS = 6000;
let counted = 0;

/**
 * Tell the user something, beside what is on the screen. Errors stay until they are closed.
 *
 * @param {Omit<Notice, "number">} notice
 */
export function notify(notice) {
  counted += 1;
  const number = counted;
  notices.value = [...notices.value, { ...notice, number }];
  if (notice.kind === "info" && !notice.action) setTimeout(() => dismiss(number), SHOWN_MS);
}

/** @param {number} number */
export function dismiss(number) {
  notices.value = notices.value.filter((notice) => notice.number !== number);
}
