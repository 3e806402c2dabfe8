"""Third-party servers: a llama-server on another machine, vLLM, or any other with OpenAI's chat API for images."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from weakref import WeakSet

from youtu_gguf.engines.base import Vocabulary
from youtu_gguf.engines.http.refusals import excerpt
from youtu_gguf.engines.http.served import LLAMA_SERVER, SGLANG, VLLM, Served, find_served, read_models
from youtu_gguf.engines.http.session import HttpSession
from youtu_gguf.engines.http.transport import Address, Hangup, NotSentError, get_json
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.environment import default_api_key
from youtu_gguf.errors import CapabilityError, EngineError, InputError, ServerError
from youtu_gguf.facts import BEGIN, COORDINATE_TOKENS
from youtu_gguf.types import Counts, ProgressFn, no_progress

if TYPE_CHECKING:
    from youtu_gguf.config import Settings


LOG = logging.getLogger("youtu_gguf.http")


class HttpEngine(ABC):
    """What engines that answer over HTTP have in common. Safe to use from many threads.

    Args:
        settings: How to ask, and how long to wait.
        progress: Called while prefilling and generating, in the thread that waits for it.
    """

    name = "http"
    has_states = False
    model = ""
    control_tokens: Collection[str] = ()
    """Control tokens of the model, besides those that `prompts.as_words` knows by their look."""

    def __init__(self, settings: Settings, progress: ProgressFn = no_progress) -> None:
        self.settings = settings
        self.progress = progress
        self._sessions: WeakSet[HttpSession] = WeakSet()
        self._closed = False

    @property
    def image_max_tokens(self) -> int:
        """Most image tokens one image may take."""
        return self.settings.image_max_tokens

    @property
    def n_parallel(self) -> int:
        """Images to work on at the same time: one for every slot."""
        return self.n_slots

    @property
    def n_slots(self) -> int:
        """Calls to make at once."""
        return self.settings.server.n_slots

    @property
    def connect_s(self) -> float:
        """Longest wait for a connection."""
        return self.settings.server.connect_s

    @property
    def stall_s(self) -> float:
        """Longest silence."""
        return self.settings.server.stall_s

    @property
    def vocabulary(self) -> Vocabulary:
        """Refuse: only the server knows its tokens.

        Raises:
            CapabilityError: Always.
        """
        raise CapabilityError(f'the engine "{self.name}" does not show the model\'s tokens. Use engine="native".')

    def counts(self) -> Counts:
        """Return zeros: only the server knows what it has done."""
        return Counts()

    def open(self, prefix: Prefix) -> HttpSession:
        """Start a session; nothing is sent before its first question."""
        if self._closed:
            raise EngineError("this model is closed. Load it again.")
        session = HttpSession(self, prefix)
        self._sessions.add(session)
        return session

    @abstractmethod
    def served(self, address: Address) -> Served:
        """Return what is known of the model; see `engines.http.session.Host`."""

    def learn_context(self, n_context: int) -> None:  # noqa: B027 - nothing is to be learned of a server of our own
        """Note the size of the context, from a server that refused more."""

    def list_models(self) -> list[str]:
        """Return the name of the only model."""
        return [self.model]

    @abstractmethod
    def using(self, hangup: Hangup) -> AbstractContextManager[Address]:
        """Give the server's address; see `engines.http.session.Host`."""

    @property
    @abstractmethod
    def retries(self) -> int:
        """How often a call is repeated."""

    @abstractmethod
    def may_retry(self, error: ServerError) -> bool:
        """Return whether a call is worth another try after `error`."""

    def forget(self, session: HttpSession) -> None:
        """Note that `session` was closed."""
        self._sessions.discard(session)

    def close(self) -> None:
        """Close the sessions; unfinished answers end with an error."""
        self._closed = True
        for session in list(self._sessions):
            session.close()


class RemoteEngine(HttpEngine):
    """A server named by its address. It must accept images at full size: see docs/servers.md.

    Args:
        url: As OpenAI's clients take it, such as "http://host:8080/v1".
        model: Name of the model on the server; None takes the first that it lists.
        settings: `server.api_key`, else the environment variable `YOUTU_GGUF_API_KEY`, is sent as bearer token.
        progress: Called while prefilling and generating.

    Raises:
        InputError: `url` is not an address.
        EngineError: The server does not list its models, or is a llama-server with another chat template.
    """

    def __init__(self, url: str, model: str | None, settings: Settings, progress: ProgressFn = no_progress) -> None:
        super().__init__(settings, progress)
        self.address = Address(checked_url(url), settings.server.api_key or default_api_key())
        self.name = self.address.url
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._named = model
        self.model = model or self.served(self.address).name

    def served(self, address: Address) -> Served:  # noqa: ARG002
        """Return what the server says of the model. With the name of a model it is not asked before the first question.

        Raises:
            NotSentError: The server cannot be reached.
            EngineError: It does not list its models, and none is named; or it is a llama-server with another template.
        """
        with self._lock:
            if self._served is None:
                self._served = self._look_up()
            return self._served

    def learn_context(self, n_context: int) -> None:
        """Note the size of the context."""
        with self._lock:
            self._served = replace(self._served or Served(self.model), n_context=n_context)

    def list_models(self) -> list[str]:
        """Ask the server for the names of its models; return none where it does not tell."""
        with suppress(ServerError, TypeError, LookupError, AttributeError):
            return [model.name for model in read_models(get_json(self.address, "/models", self.connect_s))]
        return []

    def _look_up(self) -> Served:
        listed: object = None
        try:
            listed = get_json(self.address, "/models", self.connect_s)
            models = read_models(listed)
        except (TypeError, LookupError, AttributeError) as exc:
            if self._named is not None:
                return Served(self._named)
            raise EngineError(
                f"{self.name} must list its models; got {excerpt(listed)}. Name the model, or check the address."
            ) from exc
        except ServerError as exc:
            if self._named is None or isinstance(exc, NotSentError):
                raise
            return Served(self._named)
        served = models[0] if self._named is None else find_served(models, self._named)
        if served.kind == LLAMA_SERVER:
            self._check_template()
        elif served.kind in (VLLM, SGLANG):
            self._check_tokens(served)
        return served

    def _check_tokens(self, served: Served) -> None:
        """Warn of a model that has no tokens for coordinates, which is not Youtu-VL."""
        count: object = None
        with suppress(ServerError):
            asked = {"model": served.name, "prompt": "".join(COORDINATE_TOKENS), "add_special_tokens": False}
            found = get_json(self._root, "/tokenize", self.connect_s, asked)
            count = found.get("count") if isinstance(found, dict) else None
        if isinstance(count, int) and count != len(COORDINATE_TOKENS):
            LOG.warning(
                '"%s" at %s is not Youtu-VL: it has no tokens for coordinates. It can answer in words; expect no '
                "boxes, outlines, poses or clicks from it.",
                served.name,
                self.name,
            )

    @property
    def _root(self) -> Address:
        """Where the server has what is not of OpenAI's API."""
        return Address(self.address.url.removesuffix("/v1"), self.address.key)

    def _check_template(self) -> None:
        """Refuse a llama-server that does not know the model's chat template, and then takes another."""
        template: object = None
        with suppress(ServerError):
            properties = get_json(self._root, "/props", self.connect_s)
            template = properties.get("chat_template") if isinstance(properties, dict) else None
        if isinstance(template, str) and BEGIN not in template:
            raise EngineError(
                f"{self.name} must put questions into the model's own chat template, with {BEGIN} before every turn; "
                f"it uses {excerpt(template)[:60]!r}..., perhaps because the model file has none. Start it with "
                "--jinja and the --chat-template in docs/servers.md."
            )

    @contextmanager
    def using(self, hangup: Hangup) -> Iterator[Address]:  # noqa: ARG002
        """Give the server's address."""
        if self._closed:
            raise EngineError("this model was closed while it was answering. Load it again.")
        yield self.address

    @property
    def retries(self) -> int:
        """The setting of that name."""
        return self.settings.server.retries

    def may_retry(self, error: ServerError) -> bool:
        """Retry where another try may help."""
        return error.retry


def checked_url(url: str) -> str:
    """Return the address of a server, without a slash at its end.

    Raises:
        InputError: It is not an address.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # the port is not a number
        usable = False
    if not usable or not url.isprintable() or " " in url or parts.query or parts.fragment or parts.username:
        raise InputError(
            f"expected the address of a server, such as http://host:8080/v1; got {url!r}. A key goes into "
            "YOUTU_GGUF_API_KEY."
        )
    return url.rstrip("/")
