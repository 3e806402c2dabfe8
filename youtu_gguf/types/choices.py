"""The choices that callers make by a word, each spelled once, and what is called to report progress."""

from collections.abc import Callable
from typing import Literal

Lang = Literal["en", "zh"]
"""Languages that questions can be put in."""

Finish = Literal["stop", "length", "time", "loop", "cancelled", "none"]
"""Why an answer ended: the model's end token, the token or context limit, the time limit, going round in circles, the
caller, or nothing was generated."""

ProgressFn = Callable[[str, int, int], None]
"""Called with (stage, done, total) while something takes time; total is 0 where it is not known beforehand."""


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Report nothing; a `ProgressFn`."""
