"""Measures inside a page: the frames while something moves, and how soon a text follows the pointer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from playwright.sync_api import Page

WATCH_FRAMES = """() => {
  const times = (window.frameTimes = []);
  window.frameWatch = true;
  requestAnimationFrame(function next(time) {
    times.push(time);
    if (window.frameWatch) requestAnimationFrame(next);
  });
}"""
END_FRAMES = "() => { window.frameWatch = false; return window.frameTimes; }"

WATCH_TEXT = """(selector) => {
  const times = (window.followed = []);
  let moved = null;
  addEventListener("pointermove", (event) => {
    moved = { input: event.timeStamp, seen: performance.now() };
  }, { capture: true });
  const painted = new MessageChannel();
  painted.port1.onmessage = ({ data }) => times.push({ ...data, painted: performance.now() });
  new MutationObserver(() => {
    if (!moved) return;
    const found = { ...moved, written: performance.now() };
    moved = null;
    requestAnimationFrame(() => painted.port2.postMessage(found));
  }).observe(document.querySelector(selector), { subtree: true, childList: true, characterData: true });
}"""
"""Notes, for each move of the pointer, when the input came, when its event was seen, when the text changed, and when
the frame that shows it was done: a message that is sent in a frame's callback arrives after that frame."""


@dataclass(frozen=True)
class Frames:
    """How evenly a page was drawn.

    Attributes:
        per_second: Frames per second.
        p95_ms: Time between two frames that 95 of 100 do not exceed.
        longest_ms: The longest.
    """

    per_second: float
    p95_ms: float
    longest_ms: float


class FrameWatch:
    """Counts the frames of a page in a `with` block.

    Attributes:
        frames: Those of the block; set at its end.
    """

    frames: Frames

    def __init__(self, page: Page) -> None:
        self._page = page

    def __enter__(self) -> FrameWatch:
        self._page.evaluate(WATCH_FRAMES)
        return self

    def __exit__(self, *_: object) -> None:
        times = np.asarray(self._page.evaluate(END_FRAMES), dtype=float)
        between = np.diff(times)
        self.frames = Frames(
            float(1000 * len(between) / (times[-1] - times[0])), float(np.percentile(between, 95)), float(between.max())
        )


@dataclass(frozen=True)
class Followed:
    """How soon a text follows the pointer, in milliseconds that 95 of 100 moves do not exceed.

    Attributes:
        n: Moves that changed the text.
        written: From the event to the changed text.
        painted: From the event to the end of the frame that shows it.
        painted_from_input: The same from the input itself, which waits for a frame before it becomes an event.
    """

    n: int
    written: float
    painted: float
    painted_from_input: float


def watch_text(page: Page, selector: str) -> None:
    """Begin to note how soon the text of an element follows the pointer."""
    page.evaluate(WATCH_TEXT, selector)


def followed(page: Page) -> Followed:
    """Return what was noted since."""
    times = page.evaluate("() => window.followed")

    def p95(end: str, begin: str) -> float:
        return float(np.percentile([time[end] - time[begin] for time in times], 95))

    return Followed(len(times), p95("written", "seen"), p95("painted", "seen"), p95("painted", "input"))
