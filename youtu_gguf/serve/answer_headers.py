"""What the header of every answer tells a browser, so that a page elsewhere can do little with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""What a page of ours may load and do."""

DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""The same for all else, such as an image that is opened in a tab of its own."""

_SCRIPTS = ("text/html", "text/javascript")
"""What has the policy of the page: itself, and what may become a worker of it."""

_OWN_FEATURES = ("camera", "clipboard-write", "display-capture", "fullscreen")
_NO_FEATURES = (
    "accelerometer", "autoplay", "browsing-topics", "clipboard-read", "encrypted-media", "gamepad",
    "geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking",
)  # fmt: skip
FEATURES = ", ".join((*(f"{name}=(self)" for name in _OWN_FEATURES), *(f"{name}=()" for name in _NO_FEATURES)))
"""What of the machine the page may use, if the person who looks at it agrees."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}


_NOT_MODIFIED = 304
"""Its headers replace those that the browser has kept, so that it has none that depend on the body, which it lacks."""


def _add_policies(headers: MutableHeaders) -> None:
    kind = headers.get("content-type", "")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if kind.startswith(_SCRIPTS) else DATA_POLICY)
    if kind.startswith("text/html"):
        headers.setdefault("Permissions-Policy", FEATURES)


class AnswerHeaders:
    """Adds these headers where a route has not set them."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if message["status"] != _NOT_MODIFIED:
                    _add_policies(headers)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, sending)
