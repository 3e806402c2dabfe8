/** The workbench: where the picture, the answers, the layers and the ask line stand. */

import { html, nothing } from "./vendor/lit-html.js";
import { askLine } from "./ask.js";
import { cardList } from "./cards.js";
import { exportPanel } from "./export.js";
import { layersPanel } from "./layers.js";
import { measurePanel } from "./measure.js";
import { mount } from "./panels.js";
import { readingBar } from "./start.js";
import { readout } from "./readout.js";
import { picture } from "./store.js";
import { mountViewer } from "./viewer.js";
import { words } from "./words.js";

const t = words({
  answers: ["Answers", "回答"],
  layers: ["Layers", "图层"],
  ask: ["Ask", "提问"],
});

/** @param {HTMLElement} section The screen; it is filled once, and its parts keep themselves up to date. */
export function mountWorkbench(section) {
  const part = (/** @type {string} */ id) => /** @type {HTMLElement} */ (section.querySelector(`#${id}`));
  mountViewer(part("viewer"));
  mount(part("reading"), readingBar);
  mount(part("readout"), readout);
  mount(part("measuring"), measurePanel);
  mount(part("layer-list"), () => html`<h2>${t("layers")}</h2>${layersPanel()}`);
  mount(part("answers"), () => html`<h2>${t("answers")}</h2>${cardList()}`);
  mount(part("ask"), () => html`<h2 class="unseen">${t("ask")}</h2>${askLine()}`);
  mount(part("exporting"), exportPanel);
  mount(part("title"), () => (picture.value ? html`${picture.value.name}` : nothing));
}
