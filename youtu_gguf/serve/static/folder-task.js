/** Which task a folder is asked with, and its words and options. */

import { html, nothing } from "./vendor/lit-html.js";
import { signal } from "./vendor/signals-core.js";
import { argumentSchemas, field, optionSchemas, valuesOf } from "./fields.js";
import { TASK_FORMS, argumentsOf } from "./forms.js";
import { words } from "./words.js";

const t = words({
  task: ["Task", "任务"],
  words: ["Words", "内容"],
  options: ["Options", "选项"],
  needed: ["Type something first, such as: {example}", "请先输入内容，例如：{example}"],
});

const chosen = signal({ task: "detect", typed: "", args: /** @type {Record<string, Record<string, string>>} */ ({}), options: /** @type {Record<string, string>} */ ({}) });
const isEmpty = signal(false);

/** @param {Partial<typeof chosen.value>} patch */
function change(patch) {
  isEmpty.value = false;
  chosen.value = { ...chosen.value, ...patch };
}

/** @returns {boolean} Whether something must be typed first, which the page says then. */
export function lacksWords() {
  const { task, typed } = chosen.value;
  isEmpty.value = TASK_FORMS[task].needed && !typed.trim();
  return isEmpty.value;
}

/** @returns {import("./store.js").Question} */
export function taskOfFolder() {
  const { task, typed, args, options } = chosen.value;
  return {
    task,
    args: { ...argumentsOf(task, typed), ...valuesOf(args[task] ?? {}, argumentSchemas(task)) },
    options: valuesOf(options, optionSchemas(task)),
  };
}

/** @param {boolean} isFixed Whether it cannot be changed now. @returns {unknown} */
export function folderTask(isFixed) {
  const { task, typed, args, options } = chosen.value;
  const form = TASK_FORMS[task];
  const own = args[task] ?? {};
  return html`<fieldset class="folder-task" ?disabled=${isFixed}>
    <label class="field"><span>${t("task")}</span>
      <select data-folder-task .value=${task} @change=${(/** @type {any} */ event) => change({ task: event.target.value })}>
        ${Object.entries(TASK_FORMS).map(([name, { label, help }]) => html`<option value=${name} ?selected=${name === task}>${label()} – ${help()}</option>`)}
      </select></label>
    ${form.kind === "nothing" ? nothing : html`<label class="field folder-words"><span>${t("words")}</span>
      <input type="text" maxlength="20000" autocomplete="off" placeholder=${form.placeholder()} .value=${typed} aria-invalid=${isEmpty.value ? "true" : nothing}
        aria-describedby=${isEmpty.value ? "folder-needed" : nothing} @input=${(/** @type {any} */ event) => change({ typed: event.target.value })}></label>`}
    <details><summary>${t("options")}</summary><div class="fields">
      ${Object.entries(argumentSchemas(task)).map(([name, schema]) =>
        field(name, schema, own[name] ?? "", (value) => change({ args: { ...chosen.value.args, [task]: { ...own, [name]: value } } })))}
      ${Object.entries(optionSchemas(task)).map(([name, schema]) =>
        field(name, schema, options[name] ?? "", (value) => change({ options: { ...chosen.value.options, [name]: value } })))}
    </div></details>
    ${isEmpty.value ? html`<p id="folder-needed" class="folder-error" role="alert">${t("needed", { example: form.placeholder() })}</p>` : nothing}
  </fieldset>`;
}
