"""What the answers of a server should be: the same questions in this process, one by one."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.soak.threads import DEPTH_RTOL, MAP_AGREEMENT, TIE, Question, gap
from youtu_gguf import prompts
from youtu_gguf.types import U8

MAX_TOKENS = 24
OPTIONS: dict[str, Any] = {"max_tokens": MAX_TOKENS, "temperature": 0}

CLASSES = ["sky", "grass", "circle"]
PHRASE = "the leftmost object"


@dataclass(frozen=True, eq=False)
class Asked:
    """A question that is asked over HTTP and in this process.

    Attributes:
        task: Its task.
        arguments: Its arguments as HTTP names them.
        question: The same for `Scene.many`, and the prompt that it becomes; "" of maps.
    """

    task: str
    arguments: Mapping[str, Any]
    question: Question


TEXTS = (
    Asked("describe", {}, Question(("describe",), prompts.ENGLISH.describe)),
    Asked("count", {"what": "object"}, Question(("count", "object"), prompts.ENGLISH.count.format("object"))),
    Asked("detect", {}, Question(("detect", None), prompts.ENGLISH.detect_all)),
    Asked("ocr", {}, Question(("ocr",), prompts.ENGLISH.ocr)),
    Asked("ground", {"description": PHRASE}, Question(("ground", PHRASE), prompts.ENGLISH.ground.format(PHRASE))),
)
"""Tasks whose answers are text."""

WORDS = tuple(
    Asked("ask", {"question": asked.question.prompt}, Question(("ask", asked.question.prompt), asked.question.prompt))
    for asked in TEXTS
)
"""The same as questions in one's own words, which every protocol can put. They are ones that the small model has
learned to answer: it is so unsure of others that roundings decide."""

MAPS = (
    Asked("depth", {}, Question(("depth",))),
    Asked("segment", {"classes": CLASSES, "present": "all"}, Question(("segment", CLASSES, "all"))),
)
"""Tasks whose answers are maps."""

ALL = (*WORDS, *TEXTS, *MAPS)


@dataclass
class Picture:
    """An image that many clients ask about.

    Attributes:
        rgb: Its pixels.
        expected: By question the answer that one thread gets.
    """

    rgb: U8
    expected: dict[Asked, yg.Result] = field(default_factory=dict)

    def file(self, note: str = "") -> bytes:
        """Return it as a PNG file; with another note the bytes differ, and the pixels do not."""
        info, file = PngInfo(), io.BytesIO()
        info.add_text("note", note)
        Image.fromarray(self.rgb).save(file, "PNG", pnginfo=info)
        return file.getvalue()


class Judge:
    """Counts right and wrong answers. In any thread.

    An answer may differ where two tokens are almost equally likely: scripts/soak/threads.py says when that is a tie.
    """

    def __init__(self, model: yg.Model, n_pictures: int) -> None:
        self._model = model
        self.pictures = [Picture(draw(TEST_SEEDS + 900 + i).rgb) for i in range(n_pictures)]
        self.tally: Counter[str] = Counter()
        self._doubtful: Counter[tuple[int, Asked, str, str]] = Counter()
        self._lock = threading.Lock()
        for picture in self.pictures:
            with closing(model.open(picture.rgb)) as scene:
                for asked in ALL:
                    (picture.expected[asked],) = scene.many([asked.question.asked], **OPTIONS)

    def count(self, outcome: str, n: int = 1) -> None:
        """Count an outcome."""
        with self._lock:
            self.tally[outcome] += n

    def text(self, which: int, asked: Asked, found: str, way: str) -> None:
        """Judge a text that was asked for in a way, or keep it to be judged at the end."""
        right = self.pictures[which].expected[asked]
        if found in (right.raw, getattr(right, "value", None)):
            self.count("right")
        else:
            with self._lock:
                self._doubtful[which, asked, found, way] += 1

    def numbers(self, which: int, asked: Asked, found: bytes) -> None:
        """Judge the numbers of a map."""
        right = self.pictures[which].expected[asked]
        assert isinstance(right, yg.DepthMap | yg.LabelMap)
        of_depth = isinstance(right, yg.DepthMap)
        expected = (right.values if isinstance(right, yg.DepthMap) else right.ids).ravel()
        values: npt.NDArray[Any] = np.frombuffer(found, "<f4" if of_depth else "<i4")
        if values.shape != expected.shape:
            agreement = 0.0
        else:
            near = np.isclose(expected, values, rtol=DEPTH_RTOL) if of_depth else expected == values
            agreement = float(near.mean())
        if agreement == 1 and np.array_equal(expected, values):
            self.count("right")
        else:
            self.count(
                "tie" if agreement >= MAP_AGREEMENT else f"wrong {asked.task}: {agreement:.3f} of the pixels agree"
            )

    def settle(self) -> None:
        """Judge what was kept; call it when nothing else uses the model."""
        for (which, asked, found, way), n in self._doubtful.items():
            self.count(self._outcome(which, asked, found, way), n)
        self._doubtful.clear()

    def _outcome(self, which: int, asked: Asked, found: str, way: str) -> str:
        expected = self.pictures[which].expected[asked].raw
        told = f"{way}, image {which}, {asked.question.asked}: {found!r} instead of {expected!r}"
        if not found or expected.startswith(found) or found.startswith(expected):
            return f"wrong {told}"
        with closing(self._model.open(self.pictures[which].rgb)) as scene:
            apart = gap(scene, asked.question, expected, found)
        return f"tie, {way}" if apart <= TIE else f"wrong, {apart:.3f} of the range apart, {told}"
