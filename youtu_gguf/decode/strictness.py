"""What strict decoding means: an answer with any flaw is refused."""

from collections.abc import Sequence

from youtu_gguf.errors import DecodeError
from youtu_gguf.types import Issue


def require(issues: Sequence[Issue], strict: bool) -> None:
    """Refuse a flawed answer when `strict`; do nothing otherwise.

    Raises:
        DecodeError: `strict` and there are issues; names the first, its place in the answer, and how many there are.
    """
    if not strict or not issues:
        return
    first = issues[0]
    raise DecodeError(
        f"expected a flawless answer; found {len(issues)} issue(s), the first at characters "
        f"{first.start}-{first.end}: {first.message}. Decode with strict=False to keep the good items."
    )
