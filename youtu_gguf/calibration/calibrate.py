"""A calibration from beginning to end: show the images, ask the questions, report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from youtu_gguf.calibration.drawn import GRID, draw_images
from youtu_gguf.calibration.observe import Seen, depth_answer, look
from youtu_gguf.calibration.photographs import arrange_photographs
from youtu_gguf.calibration.questions import (
    find_bin_base,
    find_final_period,
    find_leading_space,
    find_normalise,
    find_position_shift,
    find_refine,
)
from youtu_gguf.calibration.report import CalibrationReport
from youtu_gguf.decode.depth import stated_scale
from youtu_gguf.engines.base import no_states
from youtu_gguf.errors import CapabilityError, InputError
from youtu_gguf.facts import DEPTH_SCALES
from youtu_gguf.gguf.fingerprint import fingerprint
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from youtu_gguf.model import Model

OTHER_RANGE = "asked for the depth, the model speaks of another range than this package assumes ({}): {!r}"

NO_PHOTOGRAPHS = "scikit-image (extra calibrate) is not installed, so only drawn images were shown, no photographs"


def run(model: Model, progress: ProgressFn | None = None) -> CalibrationReport:
    """Measure, on images of known layout, what is not published about the model's dense maps.

    Shows the model eight drawn images and, where scikit-image is installed, four put together from photographs, of 80
    image tokens each, and asks which classes are there in those that it sees; downloads nothing and stores nothing
    (`store` does). The model's present calibration makes no difference. docs/calibration.md says what is measured and
    when it counts.

    Args:
        model: Loaded by an engine that gives hidden states.
        progress: Called with ("calibrate", images seen, images in all).

    Raises:
        CapabilityError: The engine gives no hidden states, or not that of the position before the image.
        InputError: The model may not be shown 80 image tokens at a time.
        ModelFileError: The vocabulary has no depth tokens.
    """
    engine, report = model.engine, progress or no_progress
    if not engine.has_states:
        raise CapabilityError(no_states("calibrating", engine.name))
    if engine.image_max_tokens < GRID.n_tokens:
        raise InputError(
            f"calibrating shows images of {GRID.n_tokens} image tokens; got image_max_tokens="
            f"{engine.image_max_tokens}. Raise it."
        )
    started = time.perf_counter()
    photographs = arrange_photographs()
    images = (*draw_images(), *photographs)
    seen = []
    for done, image in enumerate(images):
        report("calibrate", done, len(images))
        seen.append(look(model, image))
    report("calibrate", len(images), len(images))
    readings = [find_position_shift(seen), find_leading_space(seen, engine.vocabulary)]
    readings.append(find_normalise(seen, CalibrationReport(tuple(readings)).calibration))
    refine = find_refine(seen, CalibrationReport(tuple(readings)).calibration)
    findings = (*readings, find_bin_base(seen), find_final_period(seen), refine)
    files = (model.pair.model, model.pair.projector) if model.pair else ()
    return CalibrationReport(
        findings,
        (*(() if photographs else (NO_PHOTOGRAPHS,)), *_depth_notes(model, seen)),
        time.perf_counter() - started,
        fingerprint(*files) if files else None,
        tuple((header.path.name, header.file_size) for header in files),
    )


def _depth_notes(model: Model, seen: Sequence[Seen]) -> tuple[str, ...]:
    """Return a note if the model, asked about the first image it sees, states another range of depth than assumed."""
    image = next((one.image for one in seen if one.is_understood), None)
    if image is None:
        return ()
    answer, assumed = depth_answer(model, image), DEPTH_SCALES["open"]
    if stated_scale(answer) in (None, assumed):
        return ()
    words = f"{assumed.near_m:g}-{assumed.far_m:g} m, log-uniform, at a focal length of {assumed.focal_px:g} px"
    return (OTHER_RANGE.format(words, answer),)
