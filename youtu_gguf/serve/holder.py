"""The one model of a server: loaded at the start, unloaded when it was not asked for long, loaded again when it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from youtu_gguf.errors import EngineError
from youtu_gguf.model import Model
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.model_facts import ModelFacts
from youtu_gguf.types import Counts

State = Literal["loading", "ready", "unloaded", "failed"]


class ModelHolder:
    """Holds the model. Its methods may be called in any thread.

    A model that cannot be loaded at the start is not tried again. One that was unloaded is, by each request that needs
    it.

    Args:
        load: Loads the model; called again after it was unloaded.
        before_unload: Called before the model is closed, so that scenes on it are closed first.
    """

    def __init__(self, load: Callable[[], Model], before_unload: Callable[[], None] = lambda: None) -> None:
        self._load, self._before_unload = load, before_unload
        self._model: Model | None = None
        self._lock = threading.Lock()  # held while the model is loaded or unloaded
        self._users = 0
        self._counting = threading.Lock()  # held for an instant
        self._earlier = Counts()  # of models that were unloaded
        self._used_at = time.monotonic()
        self._error: Exception | None = None
        self._facts: ModelFacts | None = None
        self._closed = False

    @property
    def state(self) -> State:
        """Whether there is a model, in a word; asking does not load it."""
        if self._error is not None:
            return "failed"
        if self._model is not None:
            return "ready"
        return "loading" if self._facts is None else "unloaded"

    @property
    def facts(self) -> ModelFacts:
        """What is known of the model, also while it is unloaded; asking does not load it.

        Raises:
            ApiError: It is being loaded for the first time, or that failed.
        """
        if self._facts is None:
            self.check_ready()
        assert self._facts is not None
        return self._facts

    @property
    def model(self) -> Model | None:
        """The model while it is loaded; asking does not load it."""
        return self._model

    def check_ready(self) -> None:
        """Check that a request can be answered; one that has to wait for an unloaded model can.

        Raises:
            ApiError: The model is being loaded for the first time, or that failed.
        """
        if self.state == "loading":
            raise ApiError(503, "loading", "the model is being loaded. Ask again soon.", retry_after_s=2)
        if self._error is not None:
            message = f"the model could not be loaded ({type(self._error).__name__}). The server's log says why."
            raise ApiError(503, "engine_unavailable", message)

    def load(self) -> Model:
        """Return the model, loaded if it is not.

        Raises:
            YoutuError: It cannot be loaded.
        """
        with self._lock:
            if self._closed:
                raise EngineError("the server is stopping. Ask again when it is back.")
            if self._model is None:
                try:
                    model = self._load()
                except Exception as exc:
                    self._error = exc if self._facts is None else None
                    raise
                self._facts = ModelFacts.of(model)
                self._model, self._used_at = model, time.monotonic()
            return self._model

    @contextmanager
    def use(self) -> Iterator[Model]:
        """Give the model, which is not unloaded before the `with` block ends. For worker threads: it may load."""
        with self._counting:
            self._users += 1
        try:
            yield self.load()
        finally:
            with self._counting:
                self._users -= 1
                self._used_at = time.monotonic()

    def idle_s(self) -> float:
        """Return for how long no one has used the model; 0 while someone does, and while there is none."""
        with self._counting:
            return 0.0 if self._users or self._model is None else time.monotonic() - self._used_at

    def unload_if_idle(self, idle_s: float) -> bool:
        """Unload the model if no one has used it for `idle_s`; return whether it was."""
        with self._lock:
            with self._counting:
                if self._model is None or self._users or time.monotonic() - self._used_at < idle_s:
                    return False
                model = self._detach(self._model)  # who comes now waits for the lock, and loads it again
            self._end(model)
            return True

    def close(self) -> None:
        """Close the model for good."""
        with self._lock:
            self._closed = True
            if self._model is not None:
                with self._counting:
                    model = self._detach(self._model)
                self._end(model)

    def counts(self) -> Counts:
        """Return what all models have done that were loaded here; asking does not load one."""
        with self._counting:
            return self._earlier if self._model is None else self._earlier + self._model.counts()

    def _detach(self, model: Model) -> Model:
        """Return the model, which is no longer held."""
        self._earlier += model.counts()
        self._model = None
        return model

    def _end(self, model: Model) -> None:
        self._before_unload()
        model.close()
