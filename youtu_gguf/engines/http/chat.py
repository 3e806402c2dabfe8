"""The chat API of OpenAI-compatible servers: the body of a request, and the events of its answer.

Source: OpenAI's API reference, "Chat completions", and llama-server's README for its own fields.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Piece, PromptCost
from youtu_gguf.engines.http.refusals import excerpt
from youtu_gguf.engines.http.room import prompt_tokens
from youtu_gguf.engines.http.served import Served, beyond_openai
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.engines.repetition import LoopGuard
from youtu_gguf.engines.stops import StopSearch
from youtu_gguf.errors import EngineError, ServerError
from youtu_gguf.types import Finish, Part, PreparedImage

PNG_LEVEL = 1
"""Compression of the image that is sent: the fastest, because the file is read once."""

COMPLETE = frozenset(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "function_call"))
"""Reasons to finish that leave the answer whole: OpenAI's, and other words that servers have for them."""

UrlOf = Callable[[PreparedImage], str]
"""From a prepared image to its URL."""


def image_url(image: PreparedImage) -> str:
    """Return a prepared image as a PNG in a data URL, which keeps its pixels exactly."""
    from PIL import Image

    png = BytesIO()
    Image.fromarray(image.rgb).save(png, "PNG", compress_level=PNG_LEVEL)
    return "data:image/png;base64," + base64.b64encode(png.getbuffer()).decode("ascii")


def request_body(
    prefix: Prefix, question: str, sampling: Sampling, served: Served, max_tokens: int, url_of: UrlOf
) -> dict[str, Any]:
    """Return the JSON of a chat completion that asks as the native engine does.

    Args:
        prefix: What precedes the question.
        question: The question.
        sampling: How tokens are drawn.
        served: The model on the server.
        max_tokens: Most tokens of the answer: those of `sampling`, or fewer where the server has no room for them.
        url_of: Gives an image as `image_url` does.
    """
    messages: list[dict[str, Any]] = [{"role": "system", "content": prefix.system}]
    for turn in prefix.turns:
        messages += [
            {"role": "user", "content": _content(turn.parts, url_of)},
            {"role": "assistant", "content": turn.answer},
        ]
    messages.append({"role": "user", "content": _content((*prefix.parts, question), url_of)})
    scores = {"logprobs": True, "top_logprobs": 1} if sampling.scores else {}
    return {
        "model": served.name,
        "messages": messages,
        "max_tokens": max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stream": True,
        "stream_options": {"include_usage": True},
        **scores,
        **_format(sampling),
        **beyond_openai(served.kind, sampling),
    }


def _content(parts: Sequence[Part], url_of: UrlOf) -> str | list[dict[str, Any]]:
    """Return a user's message: one text if there are no images, which every server takes, else a list of parts."""
    if all(isinstance(part, str) for part in parts):
        return "".join(map(str, parts))
    return [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": url_of(part)}}
        for part in parts
    ]


def _format(sampling: Sampling) -> dict[str, Any]:
    if sampling.json_schema is None:
        return {}
    schema = {"name": "answer", "strict": True, "schema": json.loads(sampling.json_schema)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


class Reply:
    """Turns the events of one answer into its pieces.

    Args:
        prefix: What was sent with the question.
        question: The question.
        sampling: How tokens are drawn.

    Attributes:
        progress: (done, total) of the prompt's tokens, as last reported; None with servers that do not report it.
        n_tokens: Tokens of the answer so far.
        ended: Whether the server has given the reason why the answer ends, or we have ended it.
    """

    def __init__(self, prefix: Prefix, question: str, sampling: Sampling) -> None:
        self._prefix, self._question = prefix, question
        self._stops = StopSearch(sampling.stop)
        self._guard = LoopGuard() if sampling.loop_guard else None
        self._ids: dict[str, int] = {}
        self.n_tokens = 0
        self._finish: Finish | None = None
        self._usage: Mapping[str, Any] = {}
        self._timings: Mapping[str, Any] = {}
        self._prompt_progress: Mapping[str, Any] = {}
        self._reasons = False
        self.progress: tuple[int, int] | None = None

    @property
    def ended(self) -> bool:
        """Whether the reason why the answer ends is known."""
        return self._finish is not None

    @property
    def cut(self) -> bool:
        """Whether we have ended the answer: it repeats itself without end, or has come to a stop string."""
        return self._finish == "loop" or self._stops.found

    def read(self, event: Mapping[str, Any]) -> list[Piece]:
        """Return the pieces in an event; none once we have ended the answer.

        Raises:
            ServerError: It is not an event of a chat.
        """
        try:
            return list(self._pieces(event))
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as exc:
            raise ServerError(f"expected an event of a chat; got {excerpt(event)}.", retry=True) from exc

    def _pieces(self, event: Mapping[str, Any]) -> Iterator[Piece]:
        if progress := event.get("prompt_progress"):
            self.progress = int(progress["processed"]), int(progress["total"])
            self._prompt_progress = progress
        self._usage = event.get("usage") or self._usage
        self._timings = event.get("timings") or self._timings
        for choice in event.get("choices") or ():
            delta, reason = choice.get("delta", {}), choice.get("finish_reason")
            self._reasons |= bool(delta.get("reasoning") or delta.get("reasoning_content"))
            tokens = (choice.get("logprobs") or {}).get("content") or ()
            for piece in _split(delta.get("content") or "", tokens, at_end=reason == "stop"):
                if self._finish is None:
                    yield from self._stops.add(piece)
                    self._count(piece)
            if reason and self._finish is None:
                self._finish = _finish_of(str(reason))

    def _count(self, piece: Piece) -> None:
        self.n_tokens += piece.n_tokens
        # Pieces are nearly always tokens, and the guard only compares them with each other.
        number = self._ids.setdefault(piece.text, len(self._ids))
        if self._stops.found:
            self._finish = "stop"
        elif self._guard is not None and self._guard.add(number, piece.text):
            self._finish = "loop"

    def end(self, finish: Finish | None = None) -> Piece:
        """Return the last piece, with what was held back and the tokens that wrote nothing.

        Args:
            finish: Why we end the answer; None when the server has ended it.

        Raises:
            ServerError: The server has not given a reason.
            EngineError: The server has resized the image, or has taken the answer for reasoning.
        """
        held = self._stops.rest()
        text = "".join(piece.text for piece in held)
        n_held = sum(piece.n_tokens for piece in held)
        if finish is not None or self.cut:
            return Piece(text, n_held, finish or self._finish, prompt=self._prompt())
        if self._finish is None:
            raise ServerError("the server broke off in the middle of an answer. Ask again.", retry=True)
        self._check_size()
        if self._reasons and not self.n_tokens:
            raise EngineError(
                "the server must give the answer as content; it took all of it for reasoning. Start it without "
                "--reasoning-parser."
            )
        n_written = _number(self._usage, "completion_tokens") - (self._finish == "stop")  # the end is a token too
        n_rest = n_held + max(0, n_written - self.n_tokens)
        return Piece(text, n_rest, self._finish, prompt=self._prompt())

    def _prompt(self) -> PromptCost:
        """Return what the server says of the prompt's tokens; zeros where it says nothing."""
        details = self._usage.get("prompt_tokens_details")
        cached = _number(details, "cached_tokens") if isinstance(details, Mapping) else 0
        cached = cached or _number(self._timings, "cache_n") or _number(self._prompt_progress, "cache")
        timed = _number(self._timings, "cache_n") + _number(self._timings, "prompt_n")
        n_tokens = _number(self._usage, "prompt_tokens") or timed or _number(self._prompt_progress, "total")
        return PromptCost(n_tokens, min(cached, n_tokens))

    def _check_size(self) -> None:
        """Refuse an answer about a resized image: its coordinates would be wrong, and no one would notice."""
        expected, n_prompt = prompt_tokens(self._prefix, self._question), _number(self._usage, "prompt_tokens")
        if self._prefix.images and n_prompt and not expected.least <= n_prompt <= expected.most:
            raise EngineError(
                f"the server must take the image as {expected.least} tokens; it made a prompt of {n_prompt} of it, so "
                "it has resized the image or has a model other than Youtu-VL, and coordinates in its answers mean "
                "nothing. Start a llama-server with --image-max-tokens 2048, or lower image_max_tokens to what it "
                "takes."
            )


def _finish_of(reason: str) -> Finish:
    """Return how an answer ended, by the server's reason.

    Raises:
        ServerError: The server has given the answer up.
    """
    if reason == "length":
        return "length"
    if reason == "repetition":  # vLLM's own detection of it
        return "loop"
    if reason not in COMPLETE:
        raise ServerError(f'the server gave up the answer in the middle, with the reason "{reason}".', retry=True)
    return "stop"


def _split(text: str, tokens: Any, *, at_end: bool) -> Iterator[Piece]:
    """Return a piece per token. Of the tokens that make one character, the last writes it and the others nothing.

    `at_end` says that the answer ends with these. vLLM then counts the token that ends it among them, unwritten.
    """
    if not tokens:
        if text:
            yield Piece(text, n_tokens=1)
        return
    written = [str(token["token"]) for token in tokens]
    if at_end and written[-1] and "".join(written[:-1]) == text:
        written, tokens = written[:-1], tokens[:-1]
    if "".join(written) != text:
        written = [*[""] * (len(tokens) - 1), text]
    for part, token in zip(written, tokens, strict=True):
        yield Piece(part, n_tokens=1, probability=min(1.0, math.exp(float(token["logprob"]))))


def _number(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) else 0
