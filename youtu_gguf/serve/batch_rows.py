"""What is known of each image of a batch: its name, how far it is, and its answers in short."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from youtu_gguf.batch.run import errors_in
from youtu_gguf.serve.errors import ApiError

RowState = Literal["waiting", "running", "done", "failed"]

LONGEST_NAME = 1024

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that move the cursor, end a line or turn the direction of what follows."""

_SEPARATORS = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"^[A-Za-z]:")

_SHOWN_TEXT, _SHOWN_LABELS = 200, 8


@dataclass
class Row:
    """An image of a batch. For the event loop's thread.

    Attributes:
        index: Its place in the batch, from 0.
        name: What its client calls it; see `plain_name`.
        path: Where its file is, or would be.
        digest: Of its bytes.
        n_bytes: Bytes of its file; 0 when that was deleted.
        state: How far it is.
        refusal: Why it cannot be used, where that is known before it is asked about.
        line: Its line in the journal, when it is finished.
    """

    index: int
    name: str
    path: Path
    digest: str
    n_bytes: int
    state: RowState = "waiting"
    refusal: ApiError | None = None
    line: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def is_finished(self) -> bool:
        """Whether it has a line."""
        return self.line is not None

    def finish(self, line: dict[str, Any]) -> None:
        """Note its line."""
        self.line, self.state = line, "failed" if errors_in(line) else "done"

    def again(self) -> None:
        """Let it be asked again."""
        self.line, self.state = None, "waiting"

    def form(self) -> dict[str, Any]:
        """Return what is told of it, as JSON."""
        line = self.line or {}
        errors = errors_in(line)
        return {
            "index": self.index,
            "name": self.name,
            "state": self.state,
            "size": line.get("size"),
            "seconds": line.get("seconds"),
            "error": errors[0] if errors else None,
            "retryable": bool(errors) and self.refusal is None,
            "answers": [short_answer(result) for result in line.get("results", ())],
        }


def plain_name(name: str) -> str:
    """Return a client's name of an image as a relative path that leads nowhere else, for tables and data sets.

    Nothing is opened under it. Parts are joined by "/"; empty ones, "." and ".." are left out, as are drives and
    characters that are not shown.

    Raises:
        ApiError: It is too long, or nothing is left of it.
    """
    if len(name) > LONGEST_NAME:
        message = f"name may have {LONGEST_NAME} characters; got {len(name)}. Shorten it."
        raise ApiError(400, "invalid_argument", message, param="name")
    parts = (part.strip() for part in _SEPARATORS.split(_DRIVE.sub("", _CONTROL.sub("", name))))
    plain = "/".join(part for part in parts if part not in ("", ".", ".."))
    if not plain:
        raise ApiError(400, "invalid_argument", "name must be a file's name, such as street.jpg.", param="name")
    return plain


def short_answer(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result of a line in short: how many things of which label, the beginning of a text, a median."""
    if "error" in result:
        return {"task": result["task"], "error": result["error"]}
    short: dict[str, Any] = {"task": result["task"], "type": result["type"], "finish": result["finish"]}
    things = next((result[key] for key in ("boxes", "polygons", "instances", "persons") if result.get(key)), None)
    if things is not None:
        labels = Counter(thing.get("label", "person") for thing in things)
        short |= {"n": len(things), "labels": dict(labels.most_common(_SHOWN_LABELS))}
    elif result["type"] in ("Boxes", "Polygons", "Instances", "Poses"):
        short |= {"n": 0, "labels": {}}
    if "count" in result:
        short["n"] = result["count"]
    if "text" in result:
        text = str(result["text"])
        short["text"] = text if len(text) <= _SHOWN_TEXT else f"{text[: _SHOWN_TEXT - 1]}…"
    if "shares" in result:
        most = sorted(result["shares"].items(), key=lambda pair: -pair[1])
        short["shares"] = dict(most[:_SHOWN_LABELS])
    return short | {key: result[key] for key in ("area", "median", "unit", "action", "xy") if key in result}
