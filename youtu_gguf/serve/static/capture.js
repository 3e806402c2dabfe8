/** Pictures from the camera and of the screen. */

import { openPicture } from "./opening.js";
import { notify } from "./panels.js";
import { html, nothing } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({
  title: ["Camera", "摄像头"],
  take: ["Take the picture", "拍摄"],
  other: ["Other camera", "切换摄像头"],
  close: ["Close", "关闭"],
  starting: ["Waiting for the camera. The browser may ask you to allow it.", "正在等待摄像头。浏览器可能会请求授权。"],
  again: ["Try again", "重试"],
  preview: ["What the camera sees", "摄像头画面"],
  insecure: [
    "Browsers give a page the camera and the screen over https only, or on the computer that runs the server. Here, take a photograph with another program and open the file; or reach the server through https or an SSH tunnel (ssh -L).",
    "浏览器只在 https 或运行服务器的电脑上允许使用摄像头和屏幕。请用其他程序拍照后打开文件，或通过 https 或 SSH 隧道（ssh -L）访问服务器。",
  ],
  denied: [
    "The browser does not let this page use the camera. Allow it beside the address (the camera or lock sign), and in the system's privacy settings, and try again.",
    "浏览器未允许此页面使用摄像头。请在地址栏旁的摄像头或锁形图标以及系统隐私设置中允许，然后重试。",
  ],
  missing: ["There is no camera. Connect one and try again, or open a file.", "没有找到摄像头。请连接后重试，或打开文件。"],
  busy: ["The camera cannot be started: another program may use it. Close that one and try again.", "摄像头无法启动：可能正被其他程序使用。请关闭该程序后重试。"],
  lost: ["The camera was disconnected, or its permission was taken back. Connect or allow it, and try again.", "摄像头已断开，或权限被收回。请重新连接或授权，然后重试。"],
  unknown: ["The camera cannot be used: {said}", "无法使用摄像头：{said}"],
  noScreen: ["No screen was shared, so nothing was opened.", "没有共享屏幕，因此未打开任何内容。"],
  screenFailed: ["The screen cannot be taken: {said}", "无法截取屏幕：{said}"],
  shot: ["camera {time}", "拍摄 {time}"],
  screenshot: ["screen {time}", "屏幕 {time}"],
});

/** Larger ones take the model longer to read, and it looks at no more than twice as many pixels. */
const SIZE = { width: { ideal: 1280 }, height: { ideal: 720 } };

/**
 * @typedef {object} Camera
 * @property {MediaStream | null} stream null while there is none.
 * @property {string | null} problem
 * @property {string | null} device Its id.
 * @property {string[]} devices Of all cameras.
 */

const shown = signal(/** @type {Camera | null} */ (null));

/** Whether the preview shows a picture, which can be taken. */
const isLive = signal(false);

/** @param {string | null} [device] */
export async function openCamera(device = null) {
  release();
  isLive.value = false;
  shown.value = { stream: null, problem: null, device, devices: [] };
  const mine = shown.value;
  queueMicrotask(showDialog);
  if (!navigator.mediaDevices?.getUserMedia) {
    shown.value = { ...mine, problem: t("insecure") };
    return;
  }
  try {
    const wanted = device ? { deviceId: { exact: device } } : { facingMode: "environment" };
    const stream = await navigator.mediaDevices.getUserMedia({ video: { ...SIZE, ...wanted }, audio: false });
    if (shown.value !== mine) {
      stop(stream);
      return;
    }
    const [track] = stream.getVideoTracks();
    track?.addEventListener("ended", () => {
      if (shown.value?.stream === stream) shown.value = { ...shown.value, stream: null, problem: t("lost") };
    });
    const found = await navigator.mediaDevices.enumerateDevices();
    const devices = found.filter((one) => one.kind === "videoinput").map((one) => one.deviceId);
    shown.value = { stream, problem: null, device: track?.getSettings().deviceId ?? null, devices };
    queueMicrotask(showStream);
  } catch (error) {
    if (shown.value === mine) shown.value = { ...mine, problem: reasonOf(error) };
  }
}

/**
 * @param {unknown} error What `getUserMedia` threw.
 * @returns {string}
 */
function reasonOf(error) {
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
    case "SecurityError":
      return t("denied");
    case "NotFoundError":
    case "OverconstrainedError":
      return t("missing");
    case "NotReadableError":
    case "AbortError":
      return t("busy");
  }
  return t("unknown", { said: error instanceof Error ? error.message : String(error) });
}

function showDialog() {
  const dialog = /** @type {HTMLDialogElement | null} */ (document.querySelector("dialog.camera"));
  if (dialog && !dialog.open) dialog.showModal();
}

function showStream() {
  const video = /** @type {HTMLVideoElement | null} */ (document.querySelector("dialog.camera video"));
  if (!video || !shown.value?.stream) return;
  video.srcObject = shown.value.stream;
  void video.play().catch(() => {}); // the dialog was closed meanwhile
}

/** @param {MediaStream} stream */
const stop = (stream) => stream.getTracks().forEach((track) => track.stop());

function release() {
  if (shown.value?.stream) stop(shown.value.stream);
}

function close() {
  release();
  shown.value = null;
}

/**
 * @param {HTMLVideoElement} video
 * @param {"image/jpeg" | "image/png"} type
 * @returns {Promise<Blob | null>} What it shows now.
 */
function frameOf(video, type) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, type, 0.95));
}

async function take() {
  const video = /** @type {HTMLVideoElement} */ (document.querySelector("dialog.camera video"));
  const blob = await frameOf(video, "image/jpeg");
  close();
  if (!blob) notify({ kind: "error", text: t("unknown", { said: "canvas.toBlob" }) });
  else await openPicture(blob, `${t("shot", { time: new Date().toLocaleTimeString() })}.jpg`);
}

function next() {
  const { devices = [], device = null } = shown.value ?? {};
  void openCamera(devices[(devices.indexOf(device ?? "") + 1) % devices.length] ?? null);
}

/** @returns {unknown} */
export function cameraDialog() {
  const camera = shown.value;
  if (!camera) return nothing;
  return html`<dialog class="camera" aria-labelledby="camera-title" @close=${close}>
    <h2 id="camera-title">${t("title")}</h2>
    ${camera.problem
      ? html`<p class="problem" role="alert">${camera.problem}</p>`
      : html`<video playsinline .muted=${true} aria-label=${t("preview")} ?hidden=${!camera.stream}
            @loadeddata=${() => (isLive.value = true)}></video>
          ${camera.stream ? nothing : html`<p role="status">${t("starting")}</p>`}`}
    <span class="row">
      ${camera.devices.length > 1 ? html`<button type="button" class="quiet" @click=${next}>${t("other")}</button>` : nothing}
      <span class="space"></span>
      <button type="button" class="quiet" @click=${close}>${t("close")}</button>
      ${camera.problem
        ? html`<button type="button" class="main" @click=${() => void openCamera(camera.device)}>${t("again")}</button>`
        : html`<button type="button" class="main" autofocus ?disabled=${!isLive.value} @click=${take}>${t("take")}</button>`}
    </span>
  </dialog>`;
}

/** Have the person choose a screen or a window, and open what it shows. */
export async function takeScreen() {
  if (!navigator.mediaDevices?.getDisplayMedia) {
    notify({ kind: "error", text: t("insecure") });
    return;
  }
  /** @type {MediaStream | null} */
  let stream = null;
  try {
    stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: false });
    const video = document.createElement("video");
    video.muted = true;
    video.srcObject = stream;
    await video.play();
    const blob = await frameOf(video, "image/png");
    if (blob) await openPicture(blob, `${t("screenshot", { time: new Date().toLocaleTimeString() })}.png`);
  } catch (error) {
    const isDenied = error instanceof DOMException && error.name === "NotAllowedError";
    if (isDenied) notify({ kind: "info", text: t("noScreen") });
    else notify({ kind: "error", text: t("screenFailed", { said: error instanceof Error ? error.message : String(error) }) });
  } finally {
    if (stream) stop(stream);
  }
}
