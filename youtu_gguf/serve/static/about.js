/** The About screen: what runs here, what it can do, and whose work is in the page. */

import { call, send } from "./api.js";
import { endSession, hasSession } from "./key.js";
import { info, screen } from "./store.js";
import { html, nothing } from "./vendor/lit-html.js";
import { effect, signal } from "./vendor/signals-core.js";
import { language, words } from "./words.js";

const t = words({
  title: ["About this server", "关于此服务器"],
  unknown: ["The server has not said yet what it is.", "服务器尚未提供信息。"],
  model: ["Model", "模型"],
  loading: ["being loaded", "正在加载"],
  failed: ["could not be loaded: the server's log says why", "加载失败：原因见服务器日志"],
  unloaded: ["unloaded, since no one has used it for a while; the next question loads it again", "因闲置而卸载；下次提问时会重新加载"],
  ready: ["loaded", "已加载"],
  files: ["Files", "文件"],
  version: ["Package", "程序包"],
  engine: ["Engine", "引擎"],
  states: ["It gives maps: depth, label maps, masks.", "可生成深度图、标签图和掩码。"],
  noStates: ["It gives words and boxes only; maps need the native engine.", "只能给出文字和框；生成图需要原生引擎。"],
  context: ["Context", "上下文"],
  positions: ["{n} tokens", "{n} 个词元"],
  limits: ["Limits", "限制"],
  body: ["a file of {n} MB", "文件 {n} MB"],
  pixels: ["{n} million pixels", "{n} 百万像素"],
  tokens: ["{n} image tokens: larger pictures are read smaller, unless a zoom is chosen", "{n} 个图像词元：更大的图片会缩小后读取，除非选择放大"],
  waiting: ["{n} requests that wait", "最多 {n} 个请求排队"],
  queue: ["Now", "当前"],
  queued: ["{active} of {most} answers in progress, {waiting} waiting", "正在回答 {active} 个（最多 {most} 个），{waiting} 个排队"],
  calibration: ["Depth and maps", "深度与图"],
  stored: [
    "Unpublished details are set for these files: by a calibration, or since they are the small model's.",
    "未公开的细节已针对这些文件设定：来自校准，或因为它们属于小模型。",
  ],
  default: [
    "Not calibrated: unpublished details are the likelier assumptions, so distances may be off by a bin and borders by a fraction of a token. To measure them, run where the server is:",
    "未校准：未公开的细节采用较可能的假设，距离可能偏差一档，边界可能偏差不到一个词元。要测量，请在服务器上运行：",
  ],
  metres: [
    "Depth is in metres where the focal length is known, from the file's EXIF data or given; otherwise it is relative.",
    "已知焦距（来自文件的 EXIF 数据或手动给出）时深度以米为单位，否则为相对值。",
  ],
  key: ["Key", "密钥"],
  forget: ["Forget the key in this browser", "在此浏览器中忘记密钥"],
  api: ["For programs", "供程序使用"],
  openapi: ["Description of the API (OpenAPI)", "API 说明（OpenAPI）"],
  metrics: ["Figures (Prometheus)", "运行指标（Prometheus）"],
  licences: ["Licences", "许可证"],
  own: ["youtu_gguf and this page: MIT licence. Nothing on it comes from elsewhere, and nothing is sent elsewhere.", "youtu_gguf 与本页面：MIT 许可证。页面内容全部来自本机服务器，也不会向别处发送任何内容。"],
  weights: ["The model's weights have a licence of their own; see where you got them.", "模型权重有自己的许可证，请查看其来源。"],
});

const VENDORED = /** @type {const} */ (["lit-html", "signals-core"]);
const POLL_MS = 2000;

const licences = signal(/** @type {Record<string, string>} */ ({}));

/** @param {number} n */
const grouped = (n) => n.toLocaleString(language.value === "zh" ? "zh-Hans" : "en");
const inMega = (/** @type {number} */ n) => grouped(Math.round(n / 1e5) / 10);
const inMebi = (/** @type {number} */ n) => grouped(Math.round((n / 2 ** 20) * 10) / 10);

/** @type {ReturnType<typeof setInterval> | undefined} */
let polling;
effect(() => {
  const state = info.value?.state;
  const isLive = screen.value === "about" || state === "loading";
  if (isLive && polling === undefined) {
    if (screen.value === "about") void look();
    polling = setInterval(() => void look(), POLL_MS);
  }
  if (!isLive) {
    clearInterval(polling);
    polling = undefined;
  }
});

async function look() {
  if (document.hidden) return;
  const told = await call("GET", "/v1/info").catch(() => null);
  if (told) info.value = told;
}

/**
 * @param {any} event
 * @param {string} name
 */
async function showLicence(event, name) {
  if (!event.target.open || licences.value[name]) return;
  const text = await send("GET", `/static/vendor/${name}.LICENSE`).then((answer) => answer.text(), (error) => String(error));
  licences.value = { ...licences.value, [name]: text };
}

/**
 * @param {string} name
 * @param {unknown} value
 */
const row = (name, value) => html`<dt>${name}</dt><dd>${value}</dd>`;

/** @param {Record<string, any>} known */
function facts(known) {
  const { model, engine, limits, queue } = known;
  const state = /** @type {"loading" | "failed" | "unloaded" | "ready"} */ (known.state);
  return html`<dl class="facts panel">
    ${row(t("model"), html`${model ? html`<strong translate="no">${model.id}</strong>, ` : nothing}${t(state)}`)}
    ${model
      ? row(t("files"), html`<ul class="plain">${Object.entries(model.files).map(
          ([file, bytes]) => html`<li><code translate="no">${file}</code> ${typeof bytes === "number" ? `${inMega(bytes)} MB` : nothing}</li>`,
        )}</ul>`)
      : nothing}
    ${row(t("version"), html`<span translate="no">${known.name} ${known.version}</span>`)}
    ${engine ? row(t("engine"), html`<span translate="no">${engine.name}</span>. ${engine.states ? t("states") : t("noStates")}`) : nothing}
    ${engine?.n_ctx ? row(t("context"), t("positions", { n: grouped(engine.n_ctx) })) : nothing}
    ${row(t("limits"), html`<ul class="plain">
      <li>${t("body", { n: inMebi(limits.body) })}</li>
      <li>${t("pixels", { n: inMega(limits.pixels) })}</li>
      ${limits.image_tokens ? html`<li>${t("tokens", { n: grouped(limits.image_tokens) })}</li>` : nothing}
      <li>${t("waiting", { n: grouped(limits.queue) })}</li>
    </ul>`)}
    ${engine ? row(t("queue"), html`<span role="status">${t("queued", { ...queue, most: engine.answers })}</span>`) : nothing}
    ${known.calibration
      ? row(t("calibration"), html`<p>${t(known.calibration === "stored" ? "stored" : "default")}
          ${known.calibration === "stored" ? nothing : html`<code translate="no">youtu-gguf calibrate</code>`}</p><p class="dim">${t("metres")}</p>`)
      : nothing}
    ${hasSession.value ? row(t("key"), html`<button type="button" @click=${endSession}>${t("forget")}</button>`) : nothing}
    ${row(t("api"), html`<a href="/openapi.json" target="_blank">${t("openapi")}</a> · <a href="/metrics" target="_blank">${t("metrics")}</a>`)}
  </dl>`;
}

/** @returns {unknown} */
export function aboutScreen() {
  if (screen.value !== "about") return nothing;
  return html`<div class="screen-body about">
    <h1>${t("title")}</h1>
    ${info.value ? facts(info.value) : html`<p role="status">${t("unknown")}</p>`}
    <h2>${t("licences")}</h2>
    <p>${t("own")} ${t("weights")}</p>
    ${VENDORED.map(
      (name) => html`<details @toggle=${(/** @type {any} */ event) => void showLicence(event, name)}>
        <summary translate="no">${name}</summary>
        <pre class="panel" translate="no" lang="en">${licences.value[name] ?? "…"}</pre>
      </details>`,
    )}
  </div>`;
}
