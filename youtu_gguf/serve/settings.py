"""How the local API is run, with the defaults and their reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from youtu_gguf.arguments import apply_rules, number, short_repr, switch, whole
from youtu_gguf.errors import InputError

_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(/[!-~]*)?", re.IGNORECASE)
_LARGEST = 1 << 40
_DAY_S = 86_400
_LONGEST_S = 1_000_000


@dataclass(frozen=True)
class ServeSettings:
    """Limits and habits of one server.

    Attributes:
        host: Address to listen at.
        port: Port to listen at; 0 takes a free one.
        api_key: Key that every request must bring; None asks for none.
        ticket: What the page may bring once instead of the key, within two minutes; None for nothing.
        insecure: Listen beyond the loopback addresses without a key.
        allowed_hosts: Names, besides those of the loopback, that a request's `Host` may have.
        cors_origins: Origins of pages elsewhere that may use the API.
        fetch_urls: Fetch images that a request names by a URL, from public addresses alone.
        fetch_http: Fetch them by http:// as well.
        max_body: Longest body of a request, in bytes.
        max_pixels: Most pixels of an image, looked at before it is decoded.
        max_waiting: Most requests that wait for an answer.
        n_answers: Answers at once. The engine advances that many together.
        images_bytes: Memory for images that were sent: their files and pixels.
        results_bytes: Memory for results that can be asked for again.
        ttl_s: How long images and results are kept after their last use.
        drain_s: How long running answers may go on when the server is told to stop.
        idle_unload_s: The model is unloaded when it was not asked for so long; 0 keeps it.
        page: Serve the page at `/`.
        classes: Lists of class names by a name, for programs that choose one as a model (DeepStack's custom models).
            Where these do not choose, the list "default" is looked for; without that, everything.
        label_studio_url: Where the Label Studio is whose images may be fetched, such as `http://labels.lan:8080`; None
            fetches none.
        label_studio_token: Its access token.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, whole(0, 65_535)] = 8765
    api_key: str | None = field(default=None, repr=False)
    ticket: str | None = field(default=None, repr=False)
    insecure: Annotated[bool, switch] = False
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    fetch_urls: Annotated[bool, switch] = False
    fetch_http: Annotated[bool, switch] = False
    max_body: Annotated[int, whole(1, _LARGEST)] = 32 << 20
    max_pixels: Annotated[int, whole(1, _LARGEST)] = 50_000_000
    max_waiting: Annotated[int, whole(1, 10_000)] = 32
    n_answers: Annotated[int, whole(1, 64)] = 8
    images_bytes: Annotated[int, whole(0, _LARGEST)] = 512 << 20
    results_bytes: Annotated[int, whole(0, _LARGEST)] = 256 << 20
    ttl_s: Annotated[float, number(above=0, most=_LONGEST_S)] = 900.0
    drain_s: Annotated[float, number(least=0, most=_DAY_S)] = 10.0
    idle_unload_s: Annotated[float, number(least=0, most=_LONGEST_S)] = 0.0
    page: Annotated[bool, switch] = True
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    label_studio_url: str | None = None
    label_studio_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        apply_rules(self)
        if self.label_studio_url is not None and not _WEB_ADDRESS.fullmatch(self.label_studio_url):
            raise InputError(
                "label_studio_url must be an address such as http://labels.lan:8080, without a password; got "
                f"{short_repr(self.label_studio_url)}."
            )
