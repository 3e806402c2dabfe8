/** Files that are dropped on the page or pasted into it, on every screen. */

import { notePath } from "./folder-files.js";
import { openFolder } from "./folder.js";
import { openPicture } from "./opening.js";
import { mount, notify } from "./panels.js";
import { screen } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  drop: ["Drop to open", "松开即可打开"],
  several: ["Several pictures open as a folder.", "多张图片将作为文件夹打开。"],
  none: ["There is no picture in what was dropped. JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF and HEIC are opened.", "拖入的内容中没有图片。可打开 JPEG、PNG、WebP、AVIF、TIFF、BMP、GIF 和 HEIC。"],
  no: ["{name} is no picture. JPEG, PNG, WebP, AVIF, TIFF, BMP, GIF and HEIC are opened.", "“{name}”不是图片。可打开 JPEG、PNG、WebP、AVIF、TIFF、BMP、GIF 和 HEIC。"],
  pasted: ["pasted {time}", "粘贴 {time}"],
});

const NAMED_AS = /\.(jpe?g|png|webp|avif|tiff?|bmp|gif|hei[cf]|hif)$/i;
const MOST_FILES = 20_000;

const isOver = signal(false);

/** @param {File} file */
const isPicture = (file) => file.type.startsWith("image/") || NAMED_AS.test(file.name);

/**
 * Open files: one as the picture, several as a folder; all as a folder where one is shown.
 *
 * @param {File[]} files
 */
export function takeFiles(files) {
  const pictures = files.filter(isPicture);
  const [first] = pictures;
  if (!first) {
    const [other] = files;
    notify({ kind: "error", text: other ? t("no", { name: other.name }) : t("none") });
  } else if (pictures.length === 1 && screen.value !== "folder") void openPicture(first, first.name);
  else openFolder(pictures);
}

/**
 * Have all of the page take drops and what is pasted.
 *
 * @param {HTMLElement} body
 */
export function takeDrops(body) {
  const veil = document.createElement("div");
  veil.id = "veil";
  body.append(veil);
  mount(veil, () => (isOver.value ? html`<div class="veil"><p>${t("drop")}</p><p>${t("several")}</p></div>` : nothing));
  addEventListener("dragover", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    isOver.value = true;
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) isOver.value = false; // it left the window
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event.dataTransfer)) return;
    event.preventDefault();
    isOver.value = false;
    void dropped(/** @type {DataTransfer} */ (event.dataTransfer)).then(takeFiles);
  });
  addEventListener("paste", (event) => {
    const [file] = [...(event.clipboardData?.files ?? [])].filter(isPicture);
    if (!file) return; // words, for the field that has the focus
    event.preventDefault();
    const isNamed = file.name && file.name !== "image.png"; // which browsers call what has no name
    void openPicture(file, isNamed ? file.name : `${t("pasted", { time: new Date().toLocaleTimeString() })}.png`);
  });
}

/** @param {DataTransfer | null} carried */
const hasFiles = (carried) => carried?.types.includes("Files") ?? false;

/**
 * @param {DataTransfer} carried
 * @returns {Promise<File[]>} All files in it, those of folders included.
 */
async function dropped(carried) {
  // Entries can be had during the event alone, so they are taken before anything is awaited.
  const entries = [...carried.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = [...carried.files];
  if (!entries.some((entry) => entry.isDirectory)) return files;
  /** @type {File[]} */
  const found = [];
  for (const entry of entries) await collect(entry, found);
  return found;
}

/**
 * @param {FileSystemEntry} entry
 * @param {File[]} found
 */
async function collect(entry, found) {
  if (found.length >= MOST_FILES) return;
  if (entry.isFile) {
    const file = await new Promise((resolve) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null)));
    if (!file) return;
    notePath(file, entry.fullPath);
    found.push(file);
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  for (;;) {
    const some = await new Promise((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (!some.length) return; // it gives a hundred at a time
    for (const inner of some) await collect(inner, found);
  }
}
