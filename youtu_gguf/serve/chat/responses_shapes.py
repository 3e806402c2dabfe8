"""What answers look like in OpenAI's Responses protocol: pure functions of an answer, and the events of a stream."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from youtu_gguf.serve.chat.openai_shapes import own_part, timings

if TYPE_CHECKING:
    from youtu_gguf.serve.chat.answering import Answered
    from youtu_gguf.serve.errors import ApiError

Event = dict[str, Any]
"""The data of an event; its "type" is the event's name too."""


@dataclass(frozen=True)
class Reply:
    """One answer to be, with what all of its parts repeat.

    Attributes:
        model: Name of the model.
        settings: What the request said of how to answer, which the answer repeats.
    """

    model: str
    settings: dict[str, Any]
    id: str = field(default_factory=lambda: f"resp_{uuid.uuid4().hex}")
    message_id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    created_at: int = field(default_factory=lambda: int(time.time()))
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    def whole(self, answered: Answered) -> dict[str, Any]:
        """Return the answer as one object."""
        status = _status(answered)
        why = None if answered.is_whole else {"reason": "max_output_tokens"}
        return {
            **self._response(status),
            "incomplete_details": why,
            "output": [self._message(answered.text, status)],
            "usage": _usage(answered),
            "timings": timings(answered),
            **own_part(answered),
        }

    def opening(self) -> list[Event]:
        """Return the events before the first piece."""
        return [
            self._event("response.created", response=self._response("in_progress")),
            self._event("response.in_progress", response=self._response("in_progress")),
            self._event("response.output_item.added", output_index=0, item=self._message(None, "in_progress")),
            self._of_part("response.content_part.added", part=_part("")),
        ]

    def piece(self, text: str) -> Event:
        """Return the event of a piece."""
        return self._of_part("response.output_text.delta", delta=text, logprobs=[])

    def closing(self, answered: Answered) -> list[Event]:
        """Return the events after the last piece."""
        status = _status(answered)
        return [
            self._of_part("response.output_text.done", text=answered.text, logprobs=[]),
            self._of_part("response.content_part.done", part=_part(answered.text)),
            self._event("response.output_item.done", output_index=0, item=self._message(answered.text, status)),
            self._event(f"response.{status}", response=self.whole(answered)),
        ]

    def failure(self, error: ApiError) -> Event:
        """Return the event that ends a stream early."""
        about = error.body()
        return self._event("error", code=about["code"], message=about["message"], param=about["param"], error=about)

    def _event(self, kind: str, **data: Any) -> Event:
        return {"type": kind, "sequence_number": next(self._numbers), **data}

    def _of_part(self, kind: str, **data: Any) -> Event:
        return self._event(kind, item_id=self.message_id, output_index=0, content_index=0, **data)

    def _message(self, text: str | None, status: str) -> dict[str, Any]:
        content = [] if text is None else [_part(text)]
        return {"type": "message", "id": self.message_id, "status": status, "role": "assistant", "content": content}

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "response",
            "created_at": self.created_at,
            "status": status,
            "model": self.model,
            "error": None,
            "incomplete_details": None,
            "output": [],
            "usage": None,
            "parallel_tool_calls": False,
            "tool_choice": "none",
            "tools": [],
            "previous_response_id": None,
            "store": False,
            "metadata": {},
            **self.settings,
        }


def _status(answered: Answered) -> str:
    return "completed" if answered.is_whole else "incomplete"


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(answered: Answered) -> dict[str, Any]:
    spent = answered.timings
    return {
        "input_tokens": spent.n_prompt,
        "input_tokens_details": {"cached_tokens": spent.n_cached, "image_tokens": spent.n_image_tokens},
        "output_tokens": spent.n_generated,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": spent.n_prompt + spent.n_generated,
    }
