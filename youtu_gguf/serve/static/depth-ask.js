/** Has a depth map made, for the distances that measuring and the point cloud need. */

import { currentDepth } from "./depth.js";
import { knownFocal, sayFocal } from "./focal.js";
import { shortcut } from "./keys.js";
import { ask } from "./questions.js";
import { cards, changeLayer, layers, picture } from "./store.js";
import { effect, signal } from "./vendor/signals-core.js";
import { words } from "./words.js";

const t = words({ depth: ["Depth map: make one, show or hide it", "深度图：生成、显示或隐藏"] });

/** Key of the card that makes a depth map for measuring; null where none does. */
const asked = signal(/** @type {string | null} */ (null));

const ENDED = ["done", "failed", "stopped"];

/** @returns {import("./store.js").Card | null} The card that is making one, or failed to. */
export function depthBeingMade() {
  return cards.value.find(({ key }) => key === asked.value) ?? null;
}

/** @returns {boolean} Whether a depth map of the picture is on its way. */
export function isDepthComing() {
  return cards.value.some(({ question, stage }) => question.task === "depth" && !ENDED.includes(stage));
}

/** Ask for a depth map, in metres where the focal length is known. */
export function askDepth() {
  const present = currentDepth();
  const { focal_px: _, ...args } = cards.value.find(({ key }) => key === present?.card)?.question.args ?? {};
  const known = knownFocal();
  // What EXIF data say, the server knows by itself.
  if (known && known.source !== "exif") args.focal_px = Number(known.px.toFixed(1));
  asked.value = ask({ task: "depth", args, options: {} });
}

/**
 * Remember a focal length, and have the distances made anew where they depend on it.
 *
 * @param {import("./focal.js").Focal} focal
 */
export function useFocal(focal) {
  sayFocal(focal);
  const present = currentDepth();
  const isFromFocal = !present || present.result.unit !== "m" || present.result.focal_px !== null;
  if (present && isFromFocal) askDepth();
}

effect(() => {
  const made = layers.value.find(({ kind, card }) => kind === "depth" && card !== null && card === asked.value);
  if (!made) return;
  asked.value = null;
  for (const { kind, key, visible } of layers.value) {
    if (kind === "depth" && key !== made.key && visible) changeLayer(key, { visible: false }); // it takes their place
  }
});

shortcut(
  "d",
  () => t("depth"),
  () => {
    const present = currentDepth();
    if (present) changeLayer(present.key, { visible: !present.visible });
    else if (!isDepthComing()) askDepth();
  },
  () => picture.value !== null,
);
