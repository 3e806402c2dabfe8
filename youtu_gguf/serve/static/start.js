/** The start screen: every way in which a picture gets onto the page. */

import { cameraDialog, openCamera, takeScreen } from "./capture.js";
import { takeFiles } from "./dropping.js";
import { openPicture } from "./opening.js";
import { notify } from "./panels.js";
import { unseenBar } from "./reading.js";
import { send } from "./api.js";
import { info, isNano, picture, screen } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";
import { words } from "./words.js";

export { takeDrops } from "./dropping.js";
export { ensureImage, openPicture } from "./opening.js";
export { readingBar } from "./reading.js";

const t = words({
  title: ["Open a picture", "打开图片"],
  drop: ["Drop a picture anywhere on this page, or paste one with Ctrl+V.", "把图片拖到页面任意位置，或按 Ctrl+V 粘贴。"],
  touch: ["Choose a picture, or take one.", "选择图片，或拍一张。"],
  then: [
    "Then ask: find, outline, measure, read, count. The model reads a picture once, and every further question is quick.",
    "然后提问：查找、勾画、测距、识字、计数。模型只读取一次图片，之后的提问都很快。",
  ],
  file: ["Choose a file", "选择文件"],
  camera: ["Camera", "摄像头"],
  photo: ["Take a photograph", "拍照"],
  screen: ["Screen", "屏幕截图"],
  folder: ["A folder", "文件夹"],
  sample: ["Sample picture", "示例图片"],
  sampleNote: ["A drawn scene, to try things out.", "一幅绘制的场景，用来试用。"],
  many: ["Several pictures at once are asked one question as a folder.", "同时选择多张图片时，会作为文件夹统一提问。"],
  local: ["Pictures go to {host} and nowhere else.", "图片只会发送到：{host}。"],
  here: ["this computer", "本机"],
  loading: ["The model is being loaded. A picture can be opened meanwhile.", "模型正在加载，期间可以打开图片。"],
  failed: ["The model could not be loaded: the server's log says why.", "模型加载失败：原因见服务器日志。"],
  nano: [
    "The small model is served: it only knows drawn scenes such as the sample. For photographs, stop the server and run:",
    "当前使用小模型：它只认识示例那样的绘制场景。要处理照片，请停止服务器并运行：",
  ],
  gone: ["The sample cannot be had: {said}", "无法获取示例：{said}"],
  back: ["Back to {name}", "返回“{name}”"],
});

const HERE = ["localhost", "127.0.0.1", "[::1]"];

/** @param {any} event */
function chosen(event) {
  const files = [...event.target.files];
  event.target.value = ""; // the same file can be chosen again
  takeFiles(files);
}

/** @param {Record<string, string>} attributes Of an input for files that is asked at once. */
function choose(attributes) {
  const input = document.createElement("input");
  input.type = "file";
  for (const [name, value] of Object.entries(attributes)) input.setAttribute(name, value);
  input.addEventListener("change", chosen);
  input.click();
}

async function openSample() {
  try {
    const answer = await send("GET", "/static/sample.webp");
    await openPicture(await answer.blob(), "sample.webp");
  } catch (error) {
    notify({ kind: "error", text: t("gone", { said: error instanceof Error ? error.message : String(error) }) });
  }
}

/** Cameras of browsers need https or this machine; the camera of a phone's own program does not. */
const takesPhotographs = matchMedia("(pointer: coarse)").matches;

function camera() {
  if (takesPhotographs) choose({ accept: "image/*", capture: "environment" });
  else void openCamera();
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string} sign
 * @param {() => void} run
 */
function way(name, label, sign, run) {
  return html`<button type="button" data-open=${name} @click=${run}><span aria-hidden="true">${sign}</span>${label}</button>`;
}

/** @returns {unknown} What there is to know about the model before it is asked. */
function modelNote() {
  const known = info.value;
  if (!known) return nothing;
  if (known.state === "loading") return html`<p class="note" role="status">${t("loading")}</p>`;
  if (known.state === "failed") return html`<p class="note bad" role="alert">${t("failed")}</p>`;
  return isNano.value ? html`<p class="note">${t("nano")} <code translate="no">youtu-gguf pull</code></p>` : nothing;
}

/** @returns {unknown} */
export function startScreen() {
  if (screen.value !== "start") return nothing;
  const host = HERE.includes(location.hostname) ? t("here") : location.host;
  return html`<div class="start">
    <div class="drop-zone">
      <h1>${t("title")}</h1>
      <p>${takesPhotographs ? t("touch") : t("drop")}</p>
      <div class="ways">
        <label class="button main" data-open="file">
          <input class="unseen" type="file" multiple accept="image/*,.heic,.heif,.hif,.avif,.tif,.tiff" @change=${chosen}>${t("file")}
        </label>
        ${way("camera", takesPhotographs ? t("photo") : t("camera"), "◉", camera)}
        ${takesPhotographs ? nothing : way("screen", t("screen"), "▭", () => void takeScreen())}
        ${way("folder", t("folder"), "▤", () => choose({ webkitdirectory: "", multiple: "" }))}
      </div>
      <button type="button" class="sample" data-open="sample" @click=${openSample}>
        <img src="/static/sample.webp" alt="" width="96" height="77">
        <span><strong>${t("sample")}</strong><br><span class="dim">${t("sampleNote")}</span></span>
      </button>
      ${unseenBar()}
    </div>
    <div class="start-notes">
      ${picture.value
        ? html`<p><button type="button" @click=${() => (screen.value = "work")}>← ${t("back", { name: picture.value.name })}</button></p>`
        : nothing}
      ${modelNote()}
      <p>${t("then")}</p>
      <p class="dim">${t("many")}</p>
      <p class="dim">${t("local", { host })}</p>
    </div>
    ${cameraDialog()}
  </div>`;
}
