"""A server on the loopback address that answers as vLLM does, in the forms of several versions. It runs no model.

What it says was read in vLLM's source, release 0.33.0 unless another is named: the list of models in
entrypoints/serve/engine/protocol.py, the chunks of an answer in entrypoints/openai/chat_completion/serving.py
(`chat_completion_stream_generator_raw`), the limits in renderers/params.py and entrypoints/serve/utils/api_utils.py
(`get_max_tokens`), the errors in entrypoints/serve/exception_handling, the key in entrypoints/serve/middleware, special
tokens in v1/engine/detokenizer.py. Versions 0.11 and 0.9 differ in what they say of lengths (`serving_engine.py`), and
0.9 in the form of errors.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from youtu_gguf.facts import TOKEN_PX

SPECIAL = re.compile(r"<[^<>\s]+>")
"""Tags and coordinates, which are special tokens of Youtu-VL."""

END_TOKEN = "<|end_of_text|>"
TEMPLATE_TOKENS = 6
"""Of a turn, beside its words and images."""

Version = Literal["0.33", "0.11", "0.9"]
Fault = Literal["busy", "dead", "dead in the middle", "abort", "cut", "invalid"]


def boxes_of(question: str, images: list[bytes]) -> str:
    """Answer with a box whose corners depend on the last image, as a model's would."""
    left, top, width, height = sha256(images[-1]).digest()[:4] if images else (1, 2, 3, 4)
    right, bottom = left % 32 + width % 32 + 1, top % 32 + height % 32 + 1
    return f"<ref>cat</ref><box><x_{left % 32}><y_{top % 32}><x_{right}><y_{bottom}></box>"


@dataclass
class Vllm:
    """What it serves, and what was asked of it.

    Attributes:
        version: Whose forms it has.
        names: Of the model.
        max_model_len: Tokens of prompt and answer together.
        lists_context: Whether the list of models has it: vLLM's has, that of a proxy before it may not.
        most_images: In one prompt; 0 for a model without vision.
        key: The `--api-key`; None lets everyone in.
        is_youtu: Whether tags and coordinates are tokens of the model.
        reasoning: Whether a `--reasoning-parser` takes the answer for reasoning.
        answer: From a question and the bytes of its images to the answer.
        faults: What goes wrong with the next requests, one after the other; None for those that succeed.
        bodies: The JSON of every request to the chat API.
        refused: How many of those were refused.
        at_once: Most answers that were under way together.
        tokenized: Texts that /tokenize was asked about.
    """

    version: Version = "0.33"
    names: tuple[str, ...] = ("youtu-vl",)
    max_model_len: int = 16_384
    lists_context: bool = True
    most_images: int = 8
    key: str | None = None
    is_youtu: bool = True
    reasoning: bool = False
    answer: Callable[[str, list[bytes]], str] = boxes_of
    faults: list[Fault | None] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    at_once: int = 0
    tokenized: list[str] = field(default_factory=list)
    url: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: int = 0
    _sockets: set[socket.socket] = field(default_factory=set)
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen: on the port of before, if it was started before."""
        port = int(self.url.split(":")[2].split("/")[0]) if self.url else 0
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def kill(self) -> None:
        """End as by SIGKILL: every connection breaks off, and the port is closed."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for connection in list(self._sockets):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server = None

    def tokens(self, text: str) -> list[str]:
        """Split a text into tokens: tags and coordinates, and pieces of four characters."""
        special = SPECIAL.pattern if self.is_youtu else "(?!)"
        return re.findall(rf"{special}|(?:(?!{special}).){{1,4}}", text, re.DOTALL)


class ApiError(Exception):
    """An error of the API: status, message, type and parameter."""

    def __init__(self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None) -> None:
        self.status, self.message, self.kind, self.param = status, message, kind, param

    def form(self, version: Version) -> dict[str, Any]:
        told = {"message": self.message, "type": self.kind, "param": self.param, "code": self.status}
        return {"object": "error", **told} if version == "0.9" else {"error": told}


def invalid(message: str, param: str, value: int) -> ApiError:
    """Return vLLM's VLLMValidationError."""
    return ApiError(400, f"{message} (parameter={param}, value={value})", param=param)


def limited(vllm: Vllm, n_prompt: int, asked: int | None) -> int:
    """Return the most tokens of the answer; raise what that version says where they or the prompt are too many."""
    most = vllm.max_model_len
    is_long = f"This model's maximum context length is {most} tokens. However, "
    if vllm.version == "0.33":
        if asked is not None and asked > most:
            words = f"max_tokens={asked} cannot be greater than max_model_len={most}. "
            raise invalid(words + "Please request fewer output tokens.", "max_tokens", asked)
        if n_prompt > most:
            words = f"your prompt contains {n_prompt} input tokens, which exceeds this limit even without any output "
            raise invalid(f"{is_long}{words}tokens. Please reduce the length of the input prompt.", "input_tokens", 1)
        if n_prompt == most:
            words = f"The decoder prompt (length {most}) plus the number of requested output tokens (at least 1) is "
            raise ApiError(400, f"{words}longer than the maximum model length of {most}. Make sure that ...")
        return min(asked or most, most - n_prompt)
    if vllm.version == "0.11":
        if n_prompt >= most:
            words = (
                f"{is_long}your request has {n_prompt} input tokens. Please reduce the length of the input messages."
            )
            raise invalid(words, "input_tokens", n_prompt)
        if asked is not None and n_prompt + asked > most:
            words = (
                f"'max_tokens' or 'max_completion_tokens' is too large: {asked}. This model's maximum context length"
            )
            words += f" is {most} tokens and your request has {n_prompt} input tokens ({asked} > {most} - {n_prompt})."
            raise invalid(words, "max_tokens", asked)
        return asked or most - n_prompt
    if n_prompt >= most or n_prompt + (asked or 0) > most:
        words = (
            f"you requested {n_prompt + (asked or 0)} tokens ({n_prompt} in the messages, {asked} in the completion)"
        )
        raise ApiError(400, f"{is_long}{words}. Please reduce the length of the messages or completion.")
    return asked or most - n_prompt


def read_prompt(vllm: Vllm, body: dict[str, Any]) -> tuple[str, list[bytes], int]:
    """Return the question, the images of a request, and the tokens of its prompt."""
    images, words, n_tokens = [], "", 0
    for message in body["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        n_tokens += TEMPLATE_TOKENS
        for part in parts:
            if part["type"] == "text":
                words = part["text"]
                n_tokens += len(vllm.tokens(words))
                continue
            png = base64.b64decode(part["image_url"]["url"].partition(",")[2])
            width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
            images.append(png)
            n_tokens += 2 + (width // TOKEN_PX) * (height // TOKEN_PX)
    if len(images) > vllm.most_images:
        words = f"At most {vllm.most_images} image(s) may be provided in one prompt. (parameter=image)"
        raise ApiError(400, words, param="image")
    return words, images, n_tokens


def answered(vllm: Vllm, body: dict[str, Any]) -> tuple[int, list[str], str]:
    """Return the prompt's tokens, those of the answer, and why it ends; raise what the request is refused with."""
    if body["model"] not in vllm.names:
        words = f"The model `{body['model']}` does not exist. Valid aliases: {', '.join(vllm.names)}."
        raise ApiError(404, words, "NotFoundError", "model")
    if not 0 <= body["temperature"] <= 2:
        words = f"temperature must be in [0, 2], got {body['temperature']}."
        raise ApiError(400, f"{words} (parameter=temperature, value={body['temperature']})", param="temperature")
    question, images, n_prompt = read_prompt(vllm, body)
    most = limited(vllm, n_prompt, body.get("max_tokens"))
    tokens = [*vllm.tokens(vllm.answer(question, images)), END_TOKEN]
    return n_prompt, tokens[:most], "length" if len(tokens) > most else "stop"


def written(tokens: list[str], body: dict[str, Any]) -> list[str]:
    """Return what the detokenizer writes of each token: see `FastIncrementalDetokenizer.decode_next`."""
    texts, was_special = [], False
    for token in tokens:
        special = SPECIAL.fullmatch(token) is not None
        apart = " " if special and was_special and body.get("spaces_between_special_tokens", True) else ""
        texts.append("" if special and body.get("skip_special_tokens", True) else apart + token)
        was_special = special
    return texts


def chunks(vllm: Vllm, body: dict[str, Any], n_prompt: int, tokens: list[str], reason: str) -> Iterator[dict[str, Any]]:
    """Yield the events of an answer."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body["model"]}
    role = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    yield {**base, "choices": [role]}
    texts = written([token for token in tokens if token != END_TOKEN], body)
    for n, (token, text) in enumerate(zip(tokens, [*texts, *[""] * (len(tokens) - len(texts))], strict=True)):
        last = n == len(tokens) - 1
        delta = {"reasoning" if vllm.reasoning else "content": text}
        one = {"token": token, "logprob": -0.25, "bytes": list(token.encode()), "top_logprobs": []}
        logprobs = {"content": [one]} if body.get("logprobs") else None
        end = {"finish_reason": reason, "stop_reason": None} if last else {"finish_reason": None}
        yield {**base, "choices": [{"index": 0, "delta": delta, "logprobs": logprobs, **end}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        usage = {"prompt_tokens": n_prompt, "total_tokens": n_prompt + len(tokens), "completion_tokens": len(tokens)}
        yield {**base, "choices": [], "usage": usage}


def _handler(vllm: Vllm) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            vllm._sockets.add(self.connection)

        def finish(self) -> None:
            vllm._sockets.discard(self.connection)
            with suppress(OSError):
                super().finish()

        def do_GET(self) -> None:
            with suppress(OSError):
                if self._is_let_in():
                    self._send(200, {"object": "list", "data": [self._card(name) for name in vllm.names]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with suppress(OSError):
                if self.path == "/tokenize":
                    tokens = vllm.tokens(body["prompt"])
                    vllm.tokenized.append(body["prompt"])
                    self._send(200, {"count": len(tokens), "max_model_len": vllm.max_model_len, "tokens": [1]})
                elif self.path != "/v1/chat/completions":
                    self._refuse(ApiError(404, "Not Found", "Not Found"))
                elif self._is_let_in():
                    self._chat(body)

        def _is_let_in(self) -> bool:
            if vllm.key is None or self.headers["Authorization"] == f"Bearer {vllm.key}":
                return True
            self._send(401, {"error": "Unauthorized"})
            return False

        def _card(self, name: str) -> dict[str, Any]:
            base = {"id": name, "object": "model", "created": 1, "owned_by": "vllm", "root": f"/models/{name}"}
            return {
                **base,
                "parent": None,
                "max_model_len": vllm.max_model_len if vllm.lists_context else None,
                "permission": [],
            }

        def _chat(self, body: dict[str, Any]) -> None:
            with vllm._lock:
                vllm.bodies.append(body)
                fault = vllm.faults.pop(0) if vllm.faults else None
                vllm._running += 1
                vllm.at_once = max(vllm.at_once, vllm._running)
            try:
                self._answer(body, fault)
            except ApiError as refused:
                vllm.refused += 1
                self._refuse(refused)
            finally:
                with vllm._lock:
                    vllm._running -= 1

        def _answer(self, body: dict[str, Any], fault: Fault | None) -> None:
            if fault == "busy":  # QueueOverflowError
                words = "The engine is currently busy and cannot accept new requests. Please try again later or on a "
                raise ApiError(503, words + "different instance.", "Service Unavailable")
            if fault == "dead":  # EngineDeadError
                raise ApiError(500, "The server had an error while processing your request.", "InternalServerError")
            if fault == "invalid":  # RequestValidationError
                raise ApiError(400, "1 validation error:\n  {'type': 'float_parsing'}", "Bad Request", "body.top_p")
            n_prompt, tokens, reason = answered(vllm, body)
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._part(b": keep-alive\n\n")
            for n, chunk in enumerate(chunks(vllm, body, n_prompt, tokens, reason)):
                if fault is not None and n == 2:
                    self._fail(fault, chunk)
                    return
                self._event(chunk)
            self._part(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

        def _fail(self, fault: Fault, chunk: dict[str, Any]) -> None:
            if fault == "cut":
                return
            if fault == "abort":  # FinishReason.ABORT
                chunk["choices"][0]["finish_reason"] = "abort"
                self._event(chunk)
            else:
                refused = ApiError(500, "The server had an error while processing your request.", "InternalServerError")
                self._event(refused.form(vllm.version))
            self._part(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

        def _event(self, data: dict[str, Any]) -> None:
            self._part(b"data: " + json.dumps(data).encode() + b"\n\n")

        def _part(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        def _refuse(self, refused: ApiError) -> None:
            self._send(refused.status, refused.form(vllm.version))

        def _send(self, status: int, data: object) -> None:
            encoded = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
