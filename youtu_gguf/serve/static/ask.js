/** The ask line: a task, the words for it, and its options. */

import { html, nothing } from "./vendor/lit-html.js";
import { computed, signal } from "./vendor/signals-core.js";
import { askDraft, changeDraft, draft, lacksWords, recall } from "./draft.js";
import { argumentSchemas, field, optionSchemas } from "./fields.js";
import { FIRST_TASKS, MORE_TASKS, TASK_FORMS } from "./forms.js";
import { hint, openHelp } from "./help.js";
import { shortcut } from "./keys.js";
import { cards, info, picture, screen } from "./store.js";
import { isRunning, stop } from "./questions.js";
import { words } from "./words.js";

const t = words({
  tasks: ["What to ask", "提问类型"],
  more: ["More", "更多"],
  less: ["Less", "收起"],
  options: ["Options", "选项"],
  optionsOf: ["Options of {task}", "“{task}”的选项"],
  advanced: ["Advanced", "高级"],
  reset: ["Reset", "重置"],
  close: ["Close", "关闭"],
  ask: ["Ask", "提问"],
  now: ["Ask: press Enter", "提问：按 Enter"],
  help: ["Help and shortcuts", "帮助与快捷键"],
  focus: ["Go to the ask line", "转到提问框"],
  task: ["Choose the task {n}: {label}", "选择第 {n} 个任务：{label}"],
  stop: ["Stop the newest question", "停止最新的提问"],
  needed: ["Type something first, such as: {example}", "请先输入内容，例如：{example}"],
  native: ["This server's engine cannot do this: it needs the native engine.", "此服务器的引擎不支持：需要原生引擎。"],
});

/** Tasks that read the states of the image tokens, which the native engine alone gives. */
const OF_STATES = ["segment", "depth", "instances"];

const showsMore = signal(MORE_TASKS.includes(draft.value.task));
const showsOptions = signal(false);
const wasEmpty = signal(false);
const hasStates = computed(() => info.value?.engine?.states !== false);

/** Go to the words. */
export function focusAsk() {
  document.querySelector(".ask-words")?.scrollIntoView({ block: "nearest" });
  /** @type {HTMLElement | null} */ (document.querySelector(".ask-words"))?.focus();
}

/** @param {string} task */
function choose(task) {
  changeDraft({ task });
  wasEmpty.value = false;
  if (MORE_TASKS.includes(task)) showsMore.value = true;
  focusAsk();
}

function send() {
  wasEmpty.value = lacksWords();
  if (!wasEmpty.value) askDraft();
  focusAsk();
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.isComposing) return; // the key goes to the input method
  if (event.key === "Enter") {
    event.preventDefault();
    send();
  } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
    event.preventDefault();
    recall(event.key === "ArrowUp" ? -1 : 1);
  } else if (event.key === "Escape" && showsOptions.value) {
    event.preventDefault();
    showsOptions.value = false;
  }
}

/**
 * @param {string} task
 * @param {number} index
 */
function chip(task, index) {
  const form = TASK_FORMS[task];
  const isMissing = OF_STATES.includes(task) && !hasStates.value;
  return html`<button type="button" class="chip" data-task=${task} aria-pressed=${draft.value.task === task ? "true" : "false"}
    ?disabled=${isMissing} title=${isMissing ? t("native") : form.help()} @click=${() => choose(task)}>
    ${form.label()}${index < 9 ? html`<kbd aria-hidden="true">${index + 1}</kbd>` : nothing}
  </button>`;
}

function chips() {
  return html`<div class="chips" role="group" aria-label=${t("tasks")}>
    ${FIRST_TASKS.map(chip)}
    ${showsMore.value ? MORE_TASKS.map((task) => chip(task, 9)) : nothing}
    <button type="button" class="chip quiet" aria-expanded=${showsMore.value ? "true" : "false"}
      @click=${() => (showsMore.value = !showsMore.value)}>${showsMore.value ? t("less") : t("more")}</button>
  </div>`;
}

/** The number of options that are not the server's. */
const nChosen = computed(() => {
  const { task, args, options } = draft.value;
  return [...Object.values(args[task] ?? {}), ...Object.values(options)].filter((typed) => typed.trim()).length;
});

function optionsPanel() {
  const { task, args, options } = draft.value;
  const own = args[task] ?? {};
  const changeOwn = (/** @type {string} */ name) => (/** @type {string} */ typed) =>
    changeDraft({ args: { ...draft.value.args, [task]: { ...draft.value.args[task], [name]: typed } } });
  const changeOption = (/** @type {string} */ name) => (/** @type {string} */ typed) =>
    changeDraft({ options: { ...draft.value.options, [name]: typed } });
  const close = () => ((showsOptions.value = false), focusAsk());
  const onEscape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    close();
  };
  return html`<div class="ask-options panel" id="ask-options" role="group" aria-label=${t("options")} @keydown=${onEscape}>
    <h3>${t("optionsOf", { task: TASK_FORMS[task].label() })}</h3>
    <div class="fields" ?hidden=${!Object.keys(argumentSchemas(task)).length}>
      ${Object.entries(argumentSchemas(task)).map(([name, schema]) => field(name, schema, own[name] ?? "", changeOwn(name)))}
    </div>
    <details ?open=${Object.values(options).some((typed) => typed.trim())}>
      <summary>${t("advanced")}</summary>
      <div class="fields">
        ${Object.entries(optionSchemas(task)).map(([name, schema]) => field(name, schema, options[name] ?? "", changeOption(name)))}
      </div>
    </details>
    <span class="actions">
      <button type="button" class="quiet" ?disabled=${nChosen.value === 0}
        @click=${() => changeDraft({ args: { ...draft.value.args, [task]: {} }, options: {} })}>${t("reset")}</button>
      <button type="button" @click=${close}>${t("close")}</button>
    </span>
  </div>`;
}

/** @returns {unknown} */
export function askLine() {
  const { task, typed } = draft.value;
  const form = TASK_FORMS[task];
  const isFixed = form.kind === "nothing";
  return html`<div class="ask-line panel">
    ${hint()}
    ${chips()}
    <div class="ask-row">
      <label class="ask-label"><span>${form.label()}</span>
        <input type="text" class="ask-words" autocomplete="off" enterkeyhint="send" maxlength="20000"
          placeholder=${form.placeholder()} .value=${isFixed ? "" : typed} ?readonly=${isFixed}
          aria-invalid=${wasEmpty.value ? "true" : nothing} aria-describedby=${wasEmpty.value ? "ask-needed" : nothing}
          @input=${(/** @type {any} */ event) => ((wasEmpty.value = false), changeDraft({ typed: event.target.value }))}
          @keydown=${onKey}>
      </label>
      <button type="button" class="ask-gear" aria-expanded=${showsOptions.value ? "true" : "false"} aria-controls="ask-options"
        @click=${() => (showsOptions.value = !showsOptions.value)}>${t("options")}${nChosen.value ? ` (${nChosen.value})` : nothing}</button>
      <button type="button" class="main" @click=${send}>${t(isFixed ? "now" : "ask")}</button>
      <button type="button" class="quiet" aria-label=${t("help")} title=${t("help")} @click=${openHelp}>?</button>
    </div>
    <p class="ask-needed" id="ask-needed" role="alert">${wasEmpty.value ? t("needed", { example: form.placeholder() }) : nothing}</p>
    ${showsOptions.value ? optionsPanel() : nothing}
  </div>`;
}

const isAtWork = () => screen.value === "work" && picture.value !== null;
const newestRunning = () => cards.value.find(isRunning);

shortcut("/", () => t("focus"), focusAsk, isAtWork);
FIRST_TASKS.forEach((task, index) => {
  shortcut(`${index + 1}`, () => t("task", { n: index + 1, label: TASK_FORMS[task].label() }), () => choose(task), isAtWork);
});
shortcut("Escape", () => t("stop"), () => stop(newestRunning()?.key ?? ""), () => isAtWork() && newestRunning() !== undefined);
