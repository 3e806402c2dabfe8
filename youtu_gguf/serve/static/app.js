/** Puts the page together. */

import { aboutScreen } from "./about.js";
import { call } from "./api.js";
import { compareScreen } from "./compare.js";
import { folderScreen } from "./folder.js";
import { header, noticeList } from "./header.js";
import { helpDialog } from "./help.js";
import { historyScreen } from "./history.js";
import { keyDialog, useKeyOfAddress } from "./key.js";
import { mount } from "./panels.js";
import { startScreen, takeDrops } from "./start.js";
import { info, screen } from "./store.js";
import { effect } from "./vendor/signals-core.js";
import { language } from "./words.js";
import { mountWorkbench } from "./workbench.js";

const at = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

const SCREENS = {
  start: startScreen,
  compare: compareScreen,
  history: historyScreen,
  folder: folderScreen,
  about: aboutScreen,
};

mount(at("head"), header);
mount(at("notices"), noticeList);
mount(at("key"), keyDialog);
mount(at("help"), helpDialog);
mountWorkbench(at("work"));
for (const [name, panel] of Object.entries(SCREENS)) mount(at(name), panel);
takeDrops(document.body);

effect(() => {
  for (const section of document.querySelectorAll("main > section")) {
    /** @type {HTMLElement} */ (section).hidden = section.id !== screen.value;
  }
});
effect(() => {
  document.title = language.value === "zh" ? "youtu-gguf：看图、提问、测量" : "youtu-gguf: see, ask, measure";
});

await useKeyOfAddress();
info.value = await call("GET", "/v1/info").catch(() => null); // the dialog asks for a key that is missing
