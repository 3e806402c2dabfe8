/** What stands in the ask line: kept until it was asked, also when the page is loaded again; and what was asked before. */

import { ask } from "./questions.js";
import { argumentSchemas, optionSchemas, typedFor, valuesOf } from "./fields.js";
import { TASK_FORMS, argumentsOf, typedOf } from "./forms.js";
import { effect, signal } from "./vendor/signals-core.js";

/**
 * @typedef {object} Draft
 * @property {string} task
 * @property {string} typed
 * @property {Record<string, Record<string, string>>} args What stands in the fields of each task's further arguments.
 * @property {Record<string, string>} options What stands in the fields of the options.
 */

const KEPT = "youtu-draft";
const MOST = 50;

/** What stands in the ask line. */
export const draft = signal(kept());

/** @type {{task: string, typed: string}[]} What was asked, the newest last. */
const asked = [];
let place = 0;

/** @returns {Draft} */
function kept() {
  const empty = { task: "ask", typed: "", args: {}, options: {} };
  try {
    const found = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
    return { ...empty, ...found, task: found.task in TASK_FORMS ? found.task : "ask" };
  } catch {
    return empty; // storage is turned off
  }
}

effect(() => {
  const text = JSON.stringify(draft.value);
  try {
    sessionStorage.setItem(KEPT, text);
  } catch {
    // it lasts as long as the page
  }
});

/** @param {Partial<Draft>} patch */
export function changeDraft(patch) {
  draft.value = { ...draft.value, ...patch };
}

/** Whether something must be typed before the draft can be asked. */
export const lacksWords = () => TASK_FORMS[draft.value.task].needed && !draft.value.typed.trim();

/** Ask what stands in the line. */
export function askDraft() {
  const { task, typed, args, options } = draft.value;
  const further = valuesOf(args[task] ?? {}, argumentSchemas(task));
  ask({ task, args: { ...argumentsOf(task, typed), ...further }, options: valuesOf(options, optionSchemas(task)) });
  if (typed.trim() && TASK_FORMS[task].kind !== "nothing") {
    asked.push({ task, typed });
    asked.splice(0, asked.length - MOST);
    changeDraft({ typed: "" });
  }
  place = asked.length;
}

/**
 * Put what was asked before into the line.
 *
 * @param {number} steps -1 for the one before, 1 for the one after; an empty line comes after the newest.
 */
export function recall(steps) {
  if (!asked.length) return;
  place = Math.max(0, Math.min(asked.length, place + steps));
  changeDraft(asked[place] ?? { typed: "" });
}

/** Put the question of a card into the line, to be changed. @param {import("./store.js").Question} question */
export function edit(question) {
  const { task, args, options } = question;
  const { argument } = TASK_FORMS[task];
  const further = Object.fromEntries(Object.entries(args).filter(([name]) => name !== argument && name in argumentSchemas(task)));
  changeDraft({
    task,
    typed: typedOf(question),
    args: { ...draft.value.args, [task]: typedFor(further) },
    options: typedFor(options),
  });
}
