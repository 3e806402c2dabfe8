/** Keyboard shortcuts: modules register theirs, and the help lists them all. */

/**
 * @typedef {object} Shortcut
 * @property {string} key As `KeyboardEvent.key` gives it, such as "d" or "ArrowLeft".
 * @property {() => string} means In the language that is shown.
 * @property {(event: KeyboardEvent) => void} run
 * @property {() => boolean} applies Whether it does anything now.
 */

/** @type {Shortcut[]} */
export const shortcuts = [];

/**
 * Have a key do something, while no one types.
 *
 * @param {string} key
 * @param {() => string} means
 * @param {(event: KeyboardEvent) => void} run
 * @param {() => boolean} [applies]
 */
export function shortcut(key, means, run, applies = () => true) {
  shortcuts.push({ key, means, run, applies });
}

/**
 * @param {EventTarget | null} target
 * @returns {boolean} Whether keys go to what is typed or chosen there.
 */
function takesKeys(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["button", "checkbox", "radio", "range"].includes(target.type);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (takesKeys(event.target) && event.key !== "Escape") return;
  const isOnControl = event.target instanceof HTMLElement && event.target.closest("button, a, input, summary, [role=slider]");
  if (isOnControl && ["Enter", " "].includes(event.key)) return;
  if (isOnControl instanceof HTMLInputElement && event.key.startsWith("Arrow")) return;
  const found = shortcuts.find((known) => known.key === event.key && known.applies());
  if (found) {
    event.preventDefault();
    found.run(event);
  }
});
