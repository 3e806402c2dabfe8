"""What is not published about the dense maps, in one place.

Facts: "Not published".
"""

from dataclasses import dataclass
from typing import Literal, get_args

from youtu_gguf.errors import InputError
from youtu_gguf.types import CalibrationWord, Normalise, Refinement


@dataclass(frozen=True)
class Calibration:
    """Guesses about the published weights; a measurement on the real model can replace them."""

    position_shift: Literal[0, -1] = 0
    """Which position's state scores an image token: its own (0), or the one before (-1), as if the states predicted the
    next token. Applied where a task reads states."""

    leading_space: bool = False
    """Whether class names are tokenised with a space before them. False: names stand alone inside `<ref>name</ref>`,
    where no space precedes them. Applied where class names become token ids."""

    bin_base: Literal[0, 1] = 1
    """Depth bin that `<custom_1>` stands for. 1: the tokens 1..1000 are the bins 1..1000 of the report (arXiv
    2601.19798), and the model never says "invalid". 0: `<custom_1>` is bin 0, invalid, and `<custom_1000>` is bin 999.
    The default follows the numbers in the tokens' names."""

    align_corners: bool = False
    """How grid values lie on the image when upsampled. False (half-pixel): a value sits in the middle of its 32x32 px
    cell, the default of the usual resize calls; True: the outer values sit on the image's outer pixels."""

    normalise: Normalise = "grid"
    """Where class scores become probabilities. "grid": at the image tokens, and the probabilities are upsampled, as
    in a port of the authors' decoder that cites their code. "pixels": the scores are upsampled, as the report's text
    may also be read. The two differ at borders."""

    sigmoid_divisor: Literal[4, 1] = 4
    """What scores are divided by before the sigmoid that is compared with the background's 0.5. 4 is the report's; the
    same port has none. Makes a difference at borders, with `normalise` "grid", and to margins."""

    final_period: bool = False
    """Whether a period follows the last class in the question which classes are there. The report prints none; the
    public demo writes "a, b, c., without the background class" in one place."""

    refine: Refinement | None = None
    """What `refine="auto"` takes without background. None: the CRF where it is installed, as the reference does, else
    the guided filter."""


DEFAULT = Calibration()
"""Used until a model has been measured."""

OWN_MODELS = {"Youtu-VL-nano": Calibration(normalise="pixels")}
"""By `general.name` of the file: what replaces the defaults for models of this package, about which nothing is unknown.
Nano was trained on upsampled scores (scripts/nano/losses.py)."""


def given_calibration(calibration: object) -> Calibration | None:
    """Return the calibration that a caller of `load` names; None where it is to be looked up.

    Raises:
        InputError: It is none.
    """
    if isinstance(calibration, Calibration):
        return calibration
    if calibration not in get_args(CalibrationWord):
        raise InputError(f'calibration must be "stored", "default" or a Calibration; got {calibration!r}.')
    return DEFAULT if calibration == "default" else None
