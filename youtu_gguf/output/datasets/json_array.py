"""A list in JSON that is written as its items come."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any


def array(forms: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Yield the JSON of a list, an item in each line."""
    before = b"[\n"
    for form in forms:
        yield before + json.dumps(form, ensure_ascii=False).encode(errors="backslashreplace")
        before = b",\n"
    yield b"[]" if before == b"[\n" else b"\n]"
