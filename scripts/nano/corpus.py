"""The text on which nano's tokenizer is trained: every wording, name and phrase, and the words of screens.

Chinese is not written with blanks, so how often a line occurs decides where text is cut: first characters, then names
and the words of phrases, whose tokens image tokens learn to name, then whole wordings. A name is therefore a token of
its own wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.nano.answers import NUMBER_WORDS, WORDS, plural
from scripts.nano.chinese import CHINESE_NAMES, CHINESE_NUMBERS, CHINESE_WHICH
from scripts.nano.lessons import NEVER_DRAWN, WHAT_IS_SEEN
from scripts.nano.scenes import CLASSES, COLOURS, THINGS
from scripts.nano.screen_words import ICONS, KINDS, click_answer, element_phrase, instruction, shows
from scripts.nano.screen_words import WORDS as WRITTEN
from youtu_gguf.facts import DEFAULT_SYSTEM, VISION_START
from youtu_gguf.prompts import CHINESE, ENGLISH, Wording, closing, opening
from youtu_gguf.types import Lang

CHARACTER_TIMES, NAME_TIMES, WORDING_TIMES = 2000, 60, 8
SCREEN_PX = (640, 480)
"""Any size: digits are not merged."""
_ALL_NAMES = (*CLASSES, *COLOURS, *NEVER_DRAWN, "object")
_WHICH = ("left", "right", "largest", "smallest", "nearest", "farthest", "leftmost", "rightmost")
_OTHER_WORDINGS: dict[Lang, tuple[str, ...]] = {
    "en": ("What colour is the?", "What colour is it?", "Is there a person in the image?", "And how many are there?",
           "And a circle?", "The picture shows a; b.", "The results are 0 for and 1 for.", "yes no"),
    "zh": ("是什么颜色？", "它是什么颜色？", "图片中有", "吗？", "呢？", "那", "有", "图中有；。", "图中没有物体；",
           *(f"{number}个" for number in CHINESE_NUMBERS[1:])),
}  # fmt: skip


def corpus_lines() -> Iterator[str]:
    """Yield the lines, frequent ones several times."""
    chinese = list(_chinese())
    for character in sorted({c for line, _ in chinese for c in line if c > "\x7f"}):
        yield from [character] * CHARACTER_TIMES
    for line, times in (*_english(), *chinese):
        yield from [line] * times


def _english() -> Iterator[tuple[str, int]]:
    for name in (*_ALL_NAMES, *NUMBER_WORDS):
        yield f"{name} the {name} ({name}) {name}", NAME_TIMES
    for kind in THINGS:
        yield f"how many {plural(kind)}", 4
    for which in _WHICH:
        yield f"the {which} object", 4
    yield "".join(map(str, (*opening(DEFAULT_SYSTEM), VISION_START, *closing("")))), WORDING_TIMES
    for word in (*WRITTEN["en"], *ICONS["en"], *(names["en"] for names in KINDS.values())):
        yield f"{word} the {word}", NAME_TIMES // 3
    yield from _wordings(ENGLISH, "en", ["circle", "square"])


def _chinese() -> Iterator[tuple[str, int]]:
    for name in (*CHINESE_NAMES.values(), *CHINESE_WHICH.values()):
        yield name, NAME_TIMES
    for word in (*WRITTEN["zh"], *ICONS["zh"], *(names["zh"] for names in KINDS.values())):
        yield word, NAME_TIMES
    yield from _wordings(CHINESE, "zh", [])


def _wordings(asked: Wording, lang: Lang, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    words = WORDS[lang]
    lines = (
        asked.describe, asked.ocr, asked.classify, asked.detect_all, asked.detect(names), asked.segment_all,
        asked.segment(names, background=True), asked.segment(names, background=False), asked.core, asked.depth,
        asked.think, words.nothing, words.no_text, words.yes, words.no, words.refusal,
        words.depth, *words.classes.split("{}"), *asked.ground.split("{}"), *asked.count.split("{}"),
        *asked.polygon.split("{}"), *asked.depth_before.split("{}"), *WHAT_IS_SEEN[lang], *_OTHER_WORDINGS[lang],
    )  # fmt: skip
    for line in lines:
        yield line, WORDING_TIMES
    for line in (asked.pose, asked.clicking(*SCREEN_PX)):
        yield line, 2
    yield shows("", lang), WORDING_TIMES
    for kind in KINDS:
        yield element_phrase(kind, "", lang), WORDING_TIMES
        for which in (0, 1) if kind != "window" else ():  # never clicked; 窗口 would merge with the verb before it
            yield instruction(kind, "", lang, which), WORDING_TIMES
    yield click_answer(12, 34, lang), WORDING_TIMES
