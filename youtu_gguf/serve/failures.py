"""What was raised becomes an answer: the last middleware that an error meets, whatever raised it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from youtu_gguf.serve.errors import ApiError, as_api_error

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("youtu_gguf.serve")

Answer = Callable[[str, ApiError, str], "Response"]
"""From a path, an error and the request's id to the answer."""


class AnswerErrors:
    """Answers what routes and middleware raise. It stands outside of all that may raise, and inside `CallMiddleware`.

    Args:
        app: What may raise.
        answer: Makes an answer of an error.
    """

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self.app, self._answer = app, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as exc:
            id_, error = scope["youtu.call"].id, as_api_error(exc)
            if error.code == "internal" or began:
                LOG.exception("%s failed", id_)
            if not began:
                await self._answer(scope["path"], error, id_)(scope, receive, send)
