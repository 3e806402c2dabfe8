"""What is answered instead of a value: one exception, with the status and code of every cause."""

from __future__ import annotations

import math
import re
from typing import Any, Literal, get_args

from youtu_gguf.errors import (
    CancelledError,
    CapabilityError,
    DecodeError,
    EngineError,
    InputError,
    ModelFileError,
    ServerError,
    YoutuError,
)

Code = Literal[
    "invalid_json", "invalid_argument", "invalid_image", "context_length_exceeded", "image_required", "several_images",
    "unsupported_parameter",
    "invalid_api_key",
    "host_not_allowed", "origin_not_allowed", "url_not_allowed",
    "not_found", "model_not_found", "image_not_found", "result_not_found", "request_not_found",
    "batch_not_found",
    "method_not_allowed", "not_acceptable",
    "payload_too_large", "image_too_large",
    "unsupported_media_type",
    "answer_unusable",
    "queue_full",
    "internal",
    "capability_missing",
    "engine_unavailable", "loading", "draining",
    "timeout",
    "cancelled",
]  # fmt: skip
"""What is wrong, in a word that programs may compare."""

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
}
"""Kinds of errors by status, in the words of OpenAI's API."""

_PATH = re.compile(r"[/\\]")
"""What a message has that names a file of this machine."""

_INTERNAL = 500
INTERNAL_MESSAGE = "the server failed. Its log has the request's id."


class ApiError(Exception):
    """A request that is not answered with a value.

    Attributes:
        status: HTTP status.
        code: What is wrong.
        message: What was expected, what came, and the remedy.
        param: Name of the argument that is wrong, where it is one.
        retry_after_s: When to ask again, where that may help.
    """

    def __init__(
        self, status: int, code: Code, message: str, *, param: str | None = None, retry_after_s: float | None = None
    ) -> None:
        assert code in get_args(Code)
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.param, self.retry_after_s = param, retry_after_s

    @property
    def type(self) -> str:
        """Its kind, in the words of OpenAI's API."""
        return _TYPES.get(self.status, "server_error" if self.status >= _INTERNAL else "invalid_request_error")

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's header says of it."""
        found = {} if self.retry_after_s is None else {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}
        return {**found, "WWW-Authenticate": "Bearer"} if self.code == "invalid_api_key" else found

    def body(self) -> dict[str, Any]:
        """Return the object that stands behind "error" in our own answers and OpenAI's."""
        return {"message": self.message, "type": self.type, "param": self.param, "code": self.code}


def as_api_error(error: BaseException) -> ApiError:  # noqa: PLR0911 - one per kind
    """Return the answer to a request that `error` ended; what it says is kept to the log where it is none of ours."""
    match error:
        case ApiError():
            return error
        case InputError():
            code: Code = "context_length_exceeded" if "n_ctx" in str(error) else "invalid_argument"
            return ApiError(400, code, str(error))
        case CancelledError(finish="time"):
            return ApiError(504, "timeout", str(error))
        case CancelledError():
            return ApiError(499, "cancelled", str(error))
        case DecodeError():
            return ApiError(422, "answer_unusable", str(error))
        case ModelFileError() if not _PATH.search(str(error)):  # such as a token that the model lacks
            return ApiError(501, "capability_missing", str(error))
        case CapabilityError():
            return ApiError(501, "capability_missing", str(error))
        case ServerError(retry=True):
            return ApiError(503, "engine_unavailable", str(error), retry_after_s=5)
        case EngineError():
            return ApiError(503, "engine_unavailable", str(error))
        case YoutuError():
            return ApiError(_INTERNAL, "internal", INTERNAL_MESSAGE)
    return ApiError(_INTERNAL, "internal", INTERNAL_MESSAGE)
