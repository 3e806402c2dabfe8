"""Messages of OpenAI's chat protocol, in the forms in which clients write them."""

from __future__ import annotations

from typing import Any

from youtu_gguf.serve.chat.messages import Message, Part, Picture, Role
from youtu_gguf.serve.fields import Fields, Ignored, unsupported, wrong

_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}

_OF_TOOLS = ("tool_calls", "function_call", "tool_call_id")

_PLAIN_DETAILS = ("auto", "high")
"""Details of an image that ask for what is done anyway."""


def openai_messages(sent: object, ignored: Ignored, param: str = "messages") -> list[Message]:
    """Return the messages of a request.

    Raises:
        ApiError: They are no messages, or have parts that are not supported.
    """
    if not isinstance(sent, list) or not sent:
        raise wrong(param, "an array of messages, at least one", sent)
    return [_message(message, f"{param}.{i}", ignored) for i, message in enumerate(sent)]


def _message(sent: Any, param: str, ignored: Ignored) -> Message:
    if not isinstance(sent, dict):
        raise wrong(param, "a message, an object", sent)
    fields = Fields(sent, ignored, "messages.")
    role = fields.text("role")
    if role in ("tool", "function"):
        raise unsupported(f"{param}.role", "is a tool's, and tools are not supported here")
    if role not in _ROLES:
        raise wrong(f"{param}.role", f"one of {', '.join(_ROLES)}", role)
    fields.refuse((*_OF_TOOLS, "audio", "refusal"))
    for name in ("type", "id", "status"):  # of an answer that is sent back; they say nothing
        fields.take(name)
    parts = parts_of(fields.take("content"), f"{param}.content", ignored)
    fields.ignore_rest()
    return Message(_ROLES[role], parts)


def parts_of(content: object, param: str, ignored: Ignored) -> tuple[Part, ...]:
    """Return the parts of a message: a text, or an array of texts and images.

    Raises:
        ApiError: It is neither.
    """
    if content is None or isinstance(content, str):
        return (content,) if content else ()
    if not isinstance(content, list):
        raise wrong(param, "a text or an array of parts", content)
    return tuple(_part(part, f"{param}.{i}", ignored) for i, part in enumerate(content))


def _part(sent: Any, param: str, ignored: Ignored) -> Part:
    if isinstance(sent, str):
        return sent
    kind = sent.get("type") if isinstance(sent, dict) else None
    fields = Fields(sent if isinstance(sent, dict) else {}, ignored, "content.")
    for name in ("type", "annotations", "logprobs"):
        fields.take(name)
    found: Part
    match kind:
        case "text" | "input_text" | "output_text":
            found = fields.text("text") or ""
        case "image_url" | "input_image" | "image":
            found = _picture(fields, f"{param}.image_url", ignored)
        case "file" | "input_file":
            file = fields.nested("file") if kind == "file" else fields
            found = _file(file, f"{param}.file_id")
        case str():
            raise unsupported(f"{param}.type", f"{kind[:40]!r} is not supported here: texts and images are")
        case _:
            raise wrong(param, "a text, or an object with a type", sent)
    fields.ignore_rest()
    return found


def _picture(fields: Fields, param: str, ignored: Ignored) -> Picture:
    value = next(filter(None, map(fields.take, ("image_url", "image", "file_id"))), None)
    details = [fields.take("detail")]
    if isinstance(value, dict):
        details.append(value.get("detail"))
        value = value.get("url") or value.get("file_id")
    if any(detail is not None and detail not in _PLAIN_DETAILS for detail in details):
        ignored.add("detail")
    if not isinstance(value, str) or not value:
        raise wrong(param, "a data URI, base64, or the id of an image", value)
    return Picture(value, param)


def _file(fields: Fields, param: str) -> Picture:
    value = fields.text("file_id") or ""
    if not value.removeprefix("file-").startswith("img_"):
        raise unsupported(param, "must be the id of an image, as /v1/files gives it")
    return Picture(value, param)
