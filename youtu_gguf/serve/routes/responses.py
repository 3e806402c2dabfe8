"""OpenAI's Responses, without memory: what was said before stands in the request, as with Ollama and llama-server.

Source: OpenAI's API reference; requests and events of openai-python.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.chat.answering import Answered, find_asked
from youtu_gguf.serve.chat.begun import Begun, begun
from youtu_gguf.serve.chat.described import RESPONSES, RESPONSES_ANSWERS
from youtu_gguf.serve.chat.messages import Message
from youtu_gguf.serve.chat.openai_messages import openai_messages
from youtu_gguf.serve.chat.responses_shapes import Event, Reply
from youtu_gguf.serve.chat.sampling import responses_sampling
from youtu_gguf.serve.chat.wishes import take_wishes
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.events import Finished, Piece
from youtu_gguf.serve.fields import Fields, Ignored, unsupported
from youtu_gguf.serve.inputs import read_json
from youtu_gguf.serve.model_facts import MODEL_ID
from youtu_gguf.serve.schemas import ERRORS
from youtu_gguf.serve.streams import PieceResponse, sse

router = APIRouter(tags=["OpenAI"], responses=ERRORS)

CHANGES_THE_ANSWER = (
    "tools", "top_logprobs", "previous_response_id", "conversation", "background", "prompt", "max_tool_calls",
    "context_management",
)  # fmt: skip
"""Fields that are refused: an answer without them would not be what was asked for."""

_REPEATED = ("instructions", "temperature", "top_p", "max_output_tokens")
"""Fields that an answer repeats, as the client sent them."""


@router.post("/v1/responses", openapi_extra=RESPONSES, responses=RESPONSES_ANSWERS)
@router.post("/responses", include_in_schema=False)
async def responses(request: Request) -> Response:
    """Answer the input, at once or, with `stream`, in events."""
    core, ignored = core_of(request), Ignored()
    core.holder.check_ready()
    body = await read_json(request)
    fields = Fields(body, ignored)
    stream, name = fields.flag("stream", default=False), fields.text("model") or MODEL_ID
    options = responses_sampling(fields)
    messages, wishes = _messages(fields, ignored), take_wishes(fields)
    fields.refuse(("tool_choice",), unless=("none", "auto"))
    fields.refuse(CHANGES_THE_ANSWER)
    fields.ignore_rest()
    asked = await find_asked(core, name, messages, options, wishes, ignored)
    ignored.tell(Call.of(request))
    form = "json_schema" if "json_schema" in options else "text"
    reply = Reply(asked.model_id, {**{name: body.get(name) for name in _REPEATED}, "text": {"format": {"type": form}}})
    if not stream:
        return JSONResponse(reply.whole(await core.run(request, asked.work(core, stream=False))))
    return PieceResponse(_events(reply, await begun(request, core.start(request, asked.work(core, stream=True)))))


async def _events(reply: Reply, events: Begun) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(events):
        for event in reply.opening():
            yield _sent(event)
        try:
            async for happened in events:
                match happened:
                    case Piece(text=text):
                        yield _sent(reply.piece(text))
                    case Finished(index=-1, value=Answered() as answered):
                        for event in reply.closing(answered):
                            yield _sent(event)
        except ApiError as error:
            yield _sent(reply.failure(error))


def _sent(event: Event) -> bytes:
    return sse(event, event["type"])


def _messages(fields: Fields, ignored: Ignored) -> list[Message]:
    instructions = fields.text("instructions")
    given = fields.take("input")
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    for index, item in enumerate(given if isinstance(given, list) else ()):
        kind = item.get("type", "message") if isinstance(item, dict) else "message"
        if kind != "message":
            raise unsupported(f"input.{index}.type", "must be message: tools and references are not supported here")
    found = openai_messages(given, ignored, "input")
    return [Message("system", (instructions,)), *found] if instructions else found


DIALECT = Dialect("responses", router, (), own_error_body)
