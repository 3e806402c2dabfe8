/** An image of the folder on the workbench, with the answer that it has. */

import { ApiFailure, call } from "./api.js";
import { batchId, question } from "./folder-run.js";
import { addLayer } from "./layers.js";
import { notify } from "./panels.js";
import { ask } from "./questions.js";
import { openPicture } from "./start.js";
import { cards, newKey, picture } from "./store.js";

/** Values whose pixels are not in the JSON of a batch: they are asked for again. */
const OF_PIXELS = ["DepthMap", "LabelMap"];

/** @param {import("./folder-rows.js").Row} row */
export async function openRow({ name, file, facts }) {
  const asked = question.value;
  const { state, index } = facts.value;
  if (!file) return;
  await openPicture(file, name);
  if (state !== "done" || !asked || index === null) return;
  try {
    const line = await call("GET", `/v1/batches/${batchId.value}/images/${index}`);
    if (picture.value?.file !== file) return; // another was opened meanwhile
    const [result] = line.results;
    if (OF_PIXELS.includes(result.type)) ask(asked);
    else await show(asked, result, line.seconds);
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    notify({ kind: "error", text: error.message, details: error.requestId ?? undefined });
  }
}

/**
 * @param {import("./store.js").Question} asked
 * @param {any} told The result, as a line of the batch has it.
 * @param {number} seconds
 */
async function show(asked, told, seconds) {
  const spent = told.timings;
  const result = {
    ...told,
    id: "",
    image: picture.value?.id ?? "",
    usage: { image_tokens: spent.n_image_tokens, cached_tokens: spent.n_cached, prompt_tokens: spent.n_prompt, generated_tokens: spent.n_generated },
    timings: { ...spent, queue_s: 0, total_s: seconds },
  };
  const ended = Date.now();
  /** @type {import("./store.js").Card} */
  const card = {
    key: newKey(), question: asked, image: result.image, stage: "done", text: "", position: null, etaS: null, progress: null, result, failure: null,
    requestId: null, retryAt: null, began: ended - 1000 * seconds, ended,
  };
  cards.value = [card, ...cards.value];
  await addLayer(card);
}
