"""What is asked about scenes that were never trained on, and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scripts.nano.answers import count, present, primary
from scripts.nano.scenes import THINGS, Scene, referring
from youtu_gguf.evaluate.base import Sample
from youtu_gguf.evaluate.kinds.categories import TrueClasses
from youtu_gguf.evaluate.kinds.grounding import Region
from youtu_gguf.types import Size

PHRASES_PER_SCENE = 3
CORE_CROP_PX = 224
"""Side in px of the crops in which things are masked; the package's default costs forty times as much."""


def phrases(truth: Scene) -> list[tuple[str, int]]:
    """Return the phrases for a scene, each with the index of the thing that it means."""
    every = referring(truth)
    order = np.random.default_rng(truth.seed).permutation(len(every))[:PHRASES_PER_SCENE]
    return [every[i] for i in order]


def grounding_samples(truth: Scene) -> list[Sample]:
    """Return the phrases, with the boxes of their things."""
    size = Size(truth.labels.shape[1], truth.labels.shape[0])
    return [_sample(truth, phrase, Region(truth.things[i].box, size), {"sent": phrase}) for phrase, i in phrases(truth)]


def counting_samples(truth: Scene) -> list[Sample]:
    """Return what is counted: all things, those of a kind, and those of its kind and colour."""
    rng = np.random.default_rng(truth.seed)
    thing = truth.things[rng.integers(len(truth.things))]
    asked = ("object", thing.kind, f"{thing.colour} {thing.kind}")
    return [_sample(truth, what, count(truth, what), {"what": what}) for what in asked]


def category_samples(truth: Scene) -> list[Sample]:
    """Return the question for the primary thing, if there is one."""
    largest = primary(truth)
    if largest is None:
        return []
    return [_sample(truth, "primary", TrueClasses((THINGS.index(largest.kind),), largest.kind))]


def two_kinds(truth: Scene) -> tuple[str, str]:
    """Return two kinds to count one after the other; the second is there in two of three scenes, where it can be."""
    rng = np.random.default_rng(truth.seed)
    first, *others = (str(kind) for kind in rng.permutation(THINGS))
    here = [kind for kind in others if any(thing.kind == kind for thing in truth.things)]
    absent = [kind for kind in others if kind not in here]
    return first, (here if here and rng.random() < 2 / 3 else absent)[0]


def some_kinds(truth: Scene) -> list[str]:
    """Return one to three kinds, of which at least one is there."""
    rng = np.random.default_rng(truth.seed)
    here = [str(rng.choice([thing.kind for thing in truth.things]))]
    others = [str(kind) for kind in rng.permutation(THINGS) if kind not in here]
    return [str(kind) for kind in rng.permutation([*here, *others[: rng.integers(3)]])]


def two_there(truth: Scene) -> list[str]:
    """Return two classes that are there, in any order: a scene shows at least its ground and what is behind it."""
    return [str(label) for label in np.random.default_rng(truth.seed).permutation(present(truth))[:2]]


def _sample(scene: Scene, name: str, truth: Any, asked: Mapping[str, Any] | None = None) -> Sample:
    return Sample(f"{scene.seed}: {name}", Path(str(scene.seed)), asked or {}, truth)
