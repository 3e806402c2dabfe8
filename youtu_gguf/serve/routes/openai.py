"""OpenAI's chat completions and list of models, as its clients, llama-server's and vLLM's use them.

Sources: OpenAI's API reference; requests of openai-python; llama-server's README for `timings` and the models' fields.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.prompts import TEMPLATE
from youtu_gguf.serve.calls import Call
from youtu_gguf.serve.chat.answering import Answered, find_asked
from youtu_gguf.serve.chat.begun import Begun, begun
from youtu_gguf.serve.chat.described import CHAT, CHAT_ANSWERS
from youtu_gguf.serve.chat.models import aliases_of, listed_id, model_ids
from youtu_gguf.serve.chat.openai_messages import openai_messages
from youtu_gguf.serve.chat.openai_shapes import Completion
from youtu_gguf.serve.chat.sampling import openai_sampling
from youtu_gguf.serve.chat.wishes import take_wishes
from youtu_gguf.serve.core import core_of
from youtu_gguf.serve.dialects import Dialect, own_error_body
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.events import Finished, Piece
from youtu_gguf.serve.fields import Fields, Ignored
from youtu_gguf.serve.inputs import read_json
from youtu_gguf.serve.model_facts import MODEL_ID
from youtu_gguf.serve.schemas import ERRORS
from youtu_gguf.serve.streams import PieceResponse, sse

if TYPE_CHECKING:
    from youtu_gguf.serve.model_facts import ModelFacts

router = APIRouter(tags=["OpenAI"], responses=ERRORS)

CHANGES_THE_ANSWER = (
    "tools", "functions", "function_call", "logit_bias", "logprobs", "top_logprobs", "presence_penalty",
    "frequency_penalty", "audio", "prediction", "web_search_options", "grammar", "structured_outputs", "guided_json",
    "guided_regex", "guided_choice", "guided_grammar", "best_of", "echo", "suffix", "prompt",
)  # fmt: skip
"""Fields that are refused: an answer without them would not be what was asked for."""


@router.get("/v1/models")
@router.get("/models", include_in_schema=False)
async def models(request: Request) -> dict[str, Any]:
    """List the model, and one more for every task."""
    facts = core_of(request).holder.facts
    return {"object": "list", "data": [_entry(facts, model_id) for model_id in model_ids(facts)]}


@router.get("/v1/models/{model_id:path}")
async def model(request: Request, model_id: str) -> dict[str, Any]:
    """Describe one of them."""
    facts = core_of(request).holder.facts
    return _entry(facts, listed_id(facts, model_id))


def _entry(facts: ModelFacts, model_id: str) -> dict[str, Any]:
    return {
        "id": model_id,
        "object": "model",
        "created": int(facts.modified_at),
        "owned_by": "youtu_gguf",
        "aliases": aliases_of(facts, model_id),
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "meta": {
            "n_ctx": facts.n_ctx,
            "n_ctx_train": facts.n_ctx_train,
            "n_params": facts.n_params,
            "size": facts.size,
        },
        "max_model_len": facts.n_ctx,
    }


@router.get("/props")
async def props(request: Request) -> dict[str, Any]:
    """Describe the model as llama-server does, for clients that ask for this."""
    core = core_of(request)
    facts = core.holder.facts
    return {
        "default_generation_settings": {"n_ctx": facts.n_ctx},
        "total_slots": core.settings.n_answers,
        "model_alias": facts.id,
        "modalities": {"vision": True, "audio": False},
        "chat_template": TEMPLATE,
        "default_system": DEFAULT_SYSTEM,
    }


@router.post("/v1/chat/completions", openapi_extra=CHAT, responses=CHAT_ANSWERS)
@router.post("/chat/completions", include_in_schema=False)
async def chat_completions(request: Request) -> Response:
    """Answer the last message of a conversation, at once or, with `stream`, in pieces."""
    core, ignored = core_of(request), Ignored()
    core.holder.check_ready()
    fields = Fields(await read_json(request), ignored)
    stream, with_usage = fields.flag("stream", default=False), _with_usage(fields)
    name = fields.text("model") or MODEL_ID
    options = openai_sampling(fields)
    wishes = take_wishes(fields)
    messages = openai_messages(fields.take("messages"), ignored)
    _refuse(fields)
    fields.ignore_rest()
    asked = await find_asked(core, name, messages, options, wishes, ignored)
    ignored.tell(Call.of(request))
    completion = Completion(asked.model_id)
    if not stream:
        answered = await core.run(request, asked.work(core, stream=False))
        return JSONResponse(completion.whole(answered))
    events = await begun(request, core.start(request, asked.work(core, stream=True)))
    return PieceResponse(_chunks(completion, events, Call.of(request).id, with_usage=with_usage))


async def _chunks(
    completion: Completion, events: Begun, request_id: str, *, with_usage: bool
) -> AsyncGenerator[bytes, None]:
    async with contextlib.aclosing(events):
        yield sse(completion.chunk({"role": "assistant", "content": ""}))
        try:
            async for event in events:
                for chunk in _of_event(completion, event, with_usage=with_usage):
                    yield sse(chunk)
        except ApiError as error:
            yield sse(own_error_body(error, request_id))
            return
        yield sse("[DONE]")


def _of_event(completion: Completion, event: object, *, with_usage: bool) -> list[dict[str, Any]]:
    match event:
        case Piece(text=text):
            return [completion.chunk({"content": text})]
        case Finished(index=-1, value=Answered() as answered):
            counts = [completion.counts(answered)] if with_usage else []
            return [completion.last(answered), *counts]
    return []


def _with_usage(fields: Fields) -> bool:
    wanted = fields.nested("stream_options")
    with_usage = wanted.flag("include_usage", default=False)
    wanted.ignore_rest()
    return with_usage


def _refuse(fields: Fields) -> None:
    fields.refuse(("n",), unless=(1,))
    fields.refuse(("tool_choice",), unless=("none", "auto"))
    fields.refuse(("modalities",), unless=(["text"],))
    fields.refuse(CHANGES_THE_ANSWER)


DIALECT = Dialect("openai", router, (), own_error_body)
