"""Every exception this package raises on purpose; each child says who must act.

YoutuError
├── InputError        the caller: an argument, an image, a prompt
├── ModelFileError    the person who placed the files: missing, broken, or not a pair
├── EngineError       the machine or the llama.cpp library
│   └── ServerError   a llama-server or another server: says whether asking again may help
├── OutputError       the disk, or the place named for a file: what was to be written cannot be
├── CancelledError    the caller, who ended a run or limited its time, so that there is no result
├── CapabilityError   choose another engine or another model: this one cannot do it
└── DecodeError       no one: the model's answer is unusable (strict decoding; a count without a number used as one)

A message gives what was expected, what came, and the remedy, in that order.
"""

from typing import ClassVar, Literal

Stopped = Literal["cancelled", "time"]
"""Why a run ends before it is done: its caller ended it, or its time has passed."""


class YoutuError(Exception):
    """Base of all errors raised by this package."""

    exit_code: ClassVar[int] = 4
    """Exit status of the command line when this error ends it."""


class InputError(YoutuError):
    """The caller's argument, image or prompt cannot be used."""

    exit_code: ClassVar[int] = 2


class ModelFileError(YoutuError):
    """A model or projector file is missing, broken, or does not belong to the other."""

    exit_code: ClassVar[int] = 3


class EngineError(YoutuError):
    """llama.cpp or the machine failed."""

    exit_code: ClassVar[int] = 4


class ServerError(EngineError):
    """A server did not answer, or not with what it should.

    Attributes:
        retry: Whether the same request may succeed when it is sent again.
    """

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


class OutputError(YoutuError):
    """A file cannot be written: the disk is full or read-only, or the place is missing or not this user's to write to.

    No input is to blame, so what works through many of them stops.
    """

    exit_code: ClassVar[int] = 2


class CancelledError(YoutuError):
    """A run was ended before the model had read the image: by its `cancel` event, or because `max_s` had passed.

    An answer that is ended later keeps its text and says so in its `finish`; a map needs the whole image.

    Attributes:
        finish: "cancelled" or "time".
    """

    exit_code: ClassVar[int] = 6

    def __init__(self, finish: Stopped) -> None:
        why = "max_s had passed" if finish == "time" else "the run was cancelled"
        remedy = "Raise max_s, or use a smaller image." if finish == "time" else "Ask again for a result."
        super().__init__(f"{why} before the model had read the image. {remedy}")
        self.finish = finish


class CapabilityError(YoutuError):
    """The chosen engine or model cannot do what was asked."""

    exit_code: ClassVar[int] = 4


class DecodeError(YoutuError):
    """The model's answer does not hold what is needed: in strict decoding the task, else a count used as a number."""

    exit_code: ClassVar[int] = 5
