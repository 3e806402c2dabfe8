"""Ollama's protocol: chat, generate, and what clients ask about models.

Source: Ollama's API reference, and requests of ollama-python, Home Assistant, Frigate and Open WebUI.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.chat.answering import Answered, find_asked
from youtu_gguf.serve.chat.begun import Begun, begun
from youtu_gguf.serve.chat.described import (
    OLLAMA_ANSWERS,
    OLLAMA_CHAT,
    OLLAMA_ERRORS,
    OLLAMA_GENERATE,
    OLLAMA_SHOW,
)
from youtu_gguf.serve.chat.messages import Message, Part, Picture, Role
from youtu_gguf.serve.chat.models import listed_id, model_ids
from youtu_gguf.serve.chat.ollama_shapes import NEVER, Reply, listed, running, shown, stamp
from youtu_gguf.serve.chat.sampling import ollama_sampling
from youtu_gguf.serve.chat.wishes import take_wishes
from youtu_gguf.serve.core import Core, core_of
from youtu_gguf.serve.dialects import Dialect
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.events import Finished, Piece
from youtu_gguf.serve.fields import Fields, Ignored, unsupported, wrong
from youtu_gguf.serve.inputs import read_json
from youtu_gguf.serve.streams import NDJSON, PieceResponse, line
from youtu_gguf.version import __version__

router = APIRouter(tags=["Ollama"], responses=OLLAMA_ERRORS)

API_VERSION = "0.12.6"
"""Version of Ollama whose protocol this is: clients compare it with the one that they need."""

_ROLES: dict[str, Role] = {"system": "system", "user": "user", "assistant": "assistant"}

_CHANGES_THE_ANSWER = ("tools", "think", "logprobs", "top_logprobs", "raw", "suffix", "template", "context")
"""Fields that are refused: an answer without them would not be what was asked for."""

_MARKER = re.compile(r"\[img(?:-(\d{1,4}))?\]")
"""Stands in a text for the next image of the message, or for that of a number."""


@router.get("/api/version")
async def version() -> dict[str, str]:
    """Return the version of the protocol, and our own."""
    return {"version": API_VERSION, "youtu_gguf": __version__}


@router.get("/api/tags")
async def tags(request: Request) -> dict[str, Any]:
    """List the model, and one more for every task."""
    facts = core_of(request).holder.facts
    return {"models": [listed(facts, model_id) for model_id in model_ids(facts)]}


@router.get("/api/ps")
async def ps(request: Request) -> dict[str, Any]:
    """List the model if it is loaded."""
    core = core_of(request)
    if core.holder.state != "ready":
        return {"models": []}
    idle_s = core.settings.idle_unload_s
    return {"models": [running(core.holder.facts, stamp(time.time() + idle_s) if idle_s else NEVER)]}


@router.post("/api/show", openapi_extra=OLLAMA_SHOW)
async def show(request: Request) -> dict[str, Any]:
    """Describe a model."""
    facts, ignored = core_of(request).holder.facts, Ignored()
    fields = Fields(await read_json(request), ignored)
    listed_id(facts, _name(fields))
    fields.take("verbose")
    fields.ignore_rest()
    ignored.tell(Call.of(request))
    return shown(facts)


@router.post("/api/chat", openapi_extra=OLLAMA_CHAT, responses=OLLAMA_ANSWERS)
async def chat(request: Request) -> Response:
    """Answer the last message of a conversation, in lines unless `stream` is false."""
    ignored = Ignored()
    fields = Fields(await read_json(request), ignored)
    name = _name(fields)
    messages = [_message(sent, i, ignored) for i, sent in enumerate(fields.array("messages"))]
    if messages:
        messages = _with_top_level(messages, fields)
    return await _answer(request, fields, ignored, messages, Reply(name, of_chat=True))


@router.post("/api/generate", openapi_extra=OLLAMA_GENERATE, responses=OLLAMA_ANSWERS)
async def generate(request: Request) -> Response:
    """Answer a prompt, in lines unless `stream` is false."""
    ignored = Ignored()
    fields = Fields(await read_json(request), ignored)
    name = _name(fields)
    system, prompt = fields.text("system"), fields.text("prompt") or ""
    parts = _with_images(prompt, _pictures(fields, "images"))
    messages = [Message("system", (system,))] if system else []
    messages = [*messages, Message("user", parts)] if parts else []
    return await _answer(request, fields, ignored, messages, Reply(name, of_chat=False))


async def _answer(
    request: Request, fields: Fields, ignored: Ignored, messages: Sequence[Message], reply: Reply
) -> Response:
    core, call = core_of(request), Call.of(request)
    core.holder.check_ready()
    stream, options, wishes = fields.flag("stream", default=True), ollama_sampling(fields), take_wishes(fields)
    fields.refuse(_CHANGES_THE_ANSWER)
    fields.ignore_rest()
    if not messages:
        listed_id(core.holder.facts, reply.model)
        await asyncio.to_thread(_load, core)
        ignored.tell(call)
        return JSONResponse(reply.loaded())
    asked = await find_asked(core, reply.model, messages, options, wishes, ignored)
    ignored.tell(call)
    if not stream:
        answered = await core.run(request, asked.work(core, stream=False))
        return JSONResponse(reply.last(answered, answered.text))
    return PieceResponse(
        _lines(reply, await begun(request, core.start(request, asked.work(core, stream=True)))), NDJSON, b""
    )


async def _lines(reply: Reply, events: Begun) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(events):
        try:
            async for event in events:
                match event:
                    case Piece(text=text):
                        yield line(reply.piece(text))
                    case Finished(index=-1, value=Answered() as answered):
                        yield line(reply.last(answered))
        except ApiError as error:
            yield line({"error": error.message})


def _load(core: Core) -> None:
    with core.holder.use():
        pass


def _name(fields: Fields) -> str:
    name = fields.text("model") or fields.text("name")
    if not name:
        raise ApiError(400, "invalid_argument", "model is required.", param="model")
    return name


def _message(sent: Any, index: int, ignored: Ignored) -> Message:
    if not isinstance(sent, dict):
        raise wrong(f"messages.{index}", "a message, an object", sent)
    fields = Fields(sent, ignored, "messages.")
    role = fields.text("role")
    if role == "tool":
        raise unsupported(f"messages.{index}.role", "is a tool's, and tools are not supported here")
    if role not in _ROLES:
        raise wrong(f"messages.{index}.role", f"one of {', '.join(_ROLES)}", role)
    fields.refuse(("tool_calls",))
    parts = _with_images(fields.text("content") or "", _pictures(fields, f"messages.{index}.images", "images"))
    fields.ignore_rest()
    return Message(_ROLES[role], parts)


def _pictures(fields: Fields, param: str, name: str = "images") -> list[Picture]:
    return [Picture(value, f"{param}.{i}") for i, value in enumerate(fields.array(name))]


def _with_images(text: str, pictures: Sequence[Picture]) -> tuple[Part, ...]:
    """Return words and images in order: images where markers stand for them, the others before the words."""
    left, placed = dict(enumerate(pictures)), list[Part]()
    at = 0
    for marker in _MARKER.finditer(text):
        number = int(marker[1]) if marker[1] else next(iter(left), -1)
        if number in left:
            placed += [text[at : marker.start()], left.pop(number)]
            at = marker.end()
    return (*left.values(), *(part for part in (*placed, text[at:]) if part))


def _with_top_level(messages: Sequence[Message], fields: Fields) -> list[Message]:
    """Return messages with the system text and the images beside them, which some clients send, where they lack these.

    Where they do not, those beside them are left to be named.
    """
    found = list(messages)
    has_images = any(isinstance(part, Picture) for message in found for part in message.parts)
    if not has_images:
        last = found[-1]
        found[-1] = Message(last.role, (*_pictures(fields, "images"), *last.parts))
    if not any(message.role == "system" for message in found) and (system := fields.text("system")):
        found.insert(0, Message("system", (system,)))
    return found


def _error_body(error: ApiError, _request_id: str) -> Mapping[str, Any]:
    return {"error": error.message}


DIALECT = Dialect("ollama", router, ("/api/",), _error_body)
