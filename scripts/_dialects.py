"""One question about one image in every protocol that `youtu-gguf serve` speaks."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from scripts._asking import Client, Event, form

Json = dict[str, Any]


def data_uri(image: bytes, kind: str = "jpeg") -> str:
    """Return a file as a data URI."""
    return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"


@dataclass(frozen=True)
class Dialect:
    """A protocol in which a question of one's own words is answered by text.

    Attributes:
        name: Whose it is.
        path: Where it is asked.
        body: From an image (an id or a data URI), a question and the most tokens to the request; greedy.
        text: From the whole answer to its text.
        cached: From the whole answer to the tokens of the prompt that were not read again; None where it cannot say.
        piece: From an event of a stream to its piece of text; "" where it has none.
    """

    name: str
    path: str
    body: Callable[[str, str, int], Json]
    text: Callable[[Json], str]
    cached: Callable[[Json], int] | None
    piece: Callable[[Event], str]

    def ask(self, client: Client, image: str, question: str, max_tokens: int) -> Json:
        """Return the whole answer."""
        body = {**self.body(image, question, max_tokens), "stream": False}
        answer: Json = client.post(self.path, body)
        return answer

    def stream(self, client: Client, image: str, question: str, max_tokens: int) -> Iterator[Event]:
        """Yield the events of a streamed answer."""
        return client.stream(self.path, {**self.body(image, question, max_tokens), "stream": True})


def _native(image: str, question: str, max_tokens: int) -> Json:
    return {"image": image, "question": question, "options": {"max_tokens": max_tokens, "temperature": 0}}


def _chat(image: str, question: str, max_tokens: int) -> Json:
    content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": question}]
    messages = [{"role": "user", "content": content}]
    return {"model": "youtu-vl", "messages": messages, "max_tokens": max_tokens, "temperature": 0}


def _responses(image: str, question: str, max_tokens: int) -> Json:
    content = [{"type": "input_image", "image_url": image}, {"type": "input_text", "text": question}]
    asked = [{"role": "user", "content": content}]
    return {"model": "youtu-vl", "input": asked, "max_output_tokens": max_tokens, "temperature": 0}


def _ollama(image: str, max_tokens: int) -> Json:
    options = {"num_predict": max_tokens, "temperature": 0}
    return {"model": "youtu-vl", "options": options, "images": [image.partition(",")[2] or image]}


def _ollama_chat(image: str, question: str, max_tokens: int) -> Json:
    body = _ollama(image, max_tokens)
    return {**body, "messages": [{"role": "user", "content": question, "images": body.pop("images")}]}


def _ollama_generate(image: str, question: str, max_tokens: int) -> Json:
    return {**_ollama(image, max_tokens), "prompt": question}


def _chat_piece(event: Event) -> str:
    choices = event.data.get("choices", []) if isinstance(event.data, dict) else []
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def _responses_text(answer: Json) -> str:
    parts = [part for item in answer["output"] for part in item["content"]]
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def _responses_piece(event: Event) -> str:
    found = event.data if isinstance(event.data, dict) else {}
    return str(found["delta"]) if found.get("type") == "response.output_text.delta" else ""


DIALECTS = (
    Dialect(
        "native", "/v1/tasks/ask", _native, lambda answer: str(answer["text"]),
        lambda answer: int(answer["usage"]["cached_tokens"]),
        lambda event: str(event.data["text"]) if event.name == "piece" else "",
    ),
    Dialect(
        "OpenAI", "/v1/chat/completions", _chat, lambda answer: str(answer["choices"][0]["message"]["content"]),
        lambda answer: int(answer["usage"]["prompt_tokens_details"]["cached_tokens"]),
        _chat_piece,
    ),
    Dialect(
        "OpenAI responses", "/v1/responses", _responses, _responses_text,
        lambda answer: int(answer["usage"]["input_tokens_details"]["cached_tokens"]),
        _responses_piece,
    ),
    Dialect(
        "Ollama chat", "/api/chat", _ollama_chat, lambda answer: str(answer["message"]["content"]), None,
        lambda event: str(event.data.get("message", {}).get("content", "")),
    ),
    Dialect(
        "Ollama generate", "/api/generate", _ollama_generate, lambda answer: str(answer["response"]), None,
        lambda event: str(event.data.get("response", "")),
    ),
)  # fmt: skip
"""Protocols in which any question can be asked."""


def _labels(name: str) -> str:
    """Return the configuration of a Label Studio project with one label."""
    return (
        '<View><Image name="image" value="$image"/><RectangleLabels name="label" toName="image">'
        f'<Label value="{name}"/></RectangleLabels></View>'
    )


def _detect_by_form(client: Client, image: bytes, name: str) -> Any:
    return client.post("/v1/tasks/detect", *form(image, {"classes": [name], "options": OPTIONS}))


def _detect(client: Client, image: bytes, name: str) -> Any:
    return client.post("/v1/tasks/detect", {"image": data_uri(image), "classes": [name], "options": OPTIONS})


def _detect_together(client: Client, image: bytes, name: str) -> Any:
    asked = [{"task": "detect", "classes": [name]}]
    return client.post("/v1/tasks", {"image": data_uri(image), "tasks": asked, "options": OPTIONS})


def _task_model(client: Client, image: bytes, name: str) -> Any:
    return client.post("/v1/chat/completions", {**_chat(data_uri(image), name, 24), "model": "youtu-vl:detect"})


def _localai(client: Client, image: bytes, name: str) -> Any:
    plain = base64.b64encode(image).decode()
    return client.post("/v1/detection", {"model": "youtu-vl", "image": plain, "prompt": name})


def _deepstack(client: Client, image: bytes, _name: str) -> Any:
    return client.post("/v1/vision/detection", *form(image, {}))


def _x_anylabeling(client: Client, image: bytes, name: str) -> Any:
    body = {"model": "youtu-vl-detect", "image": data_uri(image), "params": {"text_prompt": name}}
    return client.post("/x-anylabeling/v1/predict", body)


def _label_studio(client: Client, image: bytes, name: str) -> Any:
    tasks = [{"id": 1, "data": {"image": data_uri(image)}}]
    return client.post("/label-studio/predict", {"tasks": tasks, "label_config": _labels(name), "project": "1.1"})


OPTIONS = {"max_tokens": 24, "temperature": 0}

OTHERS: dict[str, Callable[[Client, bytes, str], Any]] = {
    "native, a form": _detect_by_form,
    "native, detect": _detect,
    "native, several tasks": _detect_together,
    "OpenAI, youtu-vl:detect": _task_model,
    "LocalAI": _localai,
    "DeepStack": _deepstack,
    "X-AnyLabeling": _x_anylabeling,
    "Label Studio": _label_studio,
}
"""Protocols that ask for things of a class: from an image's file and the class to the answer. DeepStack looks for the
server's own classes."""
