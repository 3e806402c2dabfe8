"""The one model of a server: when it is loaded, and when it is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.holder import ModelHolder
from youtu_gguf.testing import FakeEngine


class Loads:
    """Loads models, counts them, and fails where it is told to."""

    def __init__(self) -> None:
        self.models: list[yg.Model] = []
        self.error: Exception | None = None

    def __call__(self) -> yg.Model:
        if self.error is not None:
            raise self.error
        self.models.append(yg.load(engine=FakeEngine()))
        return self.models[-1]


def is_closed(model: yg.Model) -> bool:
    engine = model.engine
    assert isinstance(engine, FakeEngine)
    return engine.closed


def test_asking_for_the_state_does_not_load() -> None:
    loads = Loads()
    holder = ModelHolder(loads)
    assert (holder.state, holder.model, holder.idle_s()) == ("loading", None, 0)
    with pytest.raises(ApiError, match="being loaded") as early:
        holder.check_ready()
    assert (early.value.code, early.value.headers["Retry-After"]) == ("loading", "2")
    assert loads.models == []


def test_an_idle_model_is_unloaded_and_loaded_by_the_next_use() -> None:
    loads = Loads()
    holder = ModelHolder(loads)
    holder.load()
    assert not holder.unload_if_idle(60)
    assert holder.unload_if_idle(0)
    assert not holder.unload_if_idle(0)
    assert (holder.state, holder.model, is_closed(loads.models[0])) == ("unloaded", None, True)
    holder.check_ready()  # a request that has to wait can be answered
    assert len(loads.models) == 1
    with holder.use() as model:
        assert not is_closed(model)
    assert (holder.state, len(loads.models)) == ("ready", 2)


def test_a_model_in_use_is_not_unloaded() -> None:
    holder = ModelHolder(Loads())
    with holder.use() as model:
        assert not holder.unload_if_idle(0)
        with holder.use():
            pass
        assert not holder.unload_if_idle(0)
        assert not is_closed(model)
    assert holder.unload_if_idle(0)


def test_idleness_counts_from_the_last_use() -> None:
    holder = ModelHolder(Loads())
    holder.load()
    time.sleep(0.05)
    assert holder.idle_s() >= 0.05
    with holder.use():
        assert holder.idle_s() == 0
    assert holder.idle_s() < 0.05


def test_scenes_are_closed_before_the_model() -> None:
    loads = Loads()
    seen: list[bool] = []
    holder = ModelHolder(loads, lambda: seen.append(is_closed(loads.models[-1])))
    holder.load()
    holder.unload_if_idle(0)
    holder.load()
    holder.close()
    assert seen == [False, False]


def test_a_model_that_cannot_be_loaded_at_the_start_is_said_so_without_its_path() -> None:
    loads = Loads()
    loads.error = yg.ModelFileError("expected /home/someone/model.gguf")
    holder = ModelHolder(loads)
    with pytest.raises(yg.ModelFileError):
        holder.load()
    with pytest.raises(ApiError, match="could not be loaded") as refused:
        holder.check_ready()
    assert (holder.state, refused.value.status, refused.value.code) == ("failed", 503, "engine_unavailable")
    assert "someone" not in refused.value.message


def test_a_model_that_cannot_be_loaded_again_is_tried_by_the_next_request() -> None:
    loads = Loads()
    holder = ModelHolder(loads)
    holder.load()
    holder.unload_if_idle(0)
    loads.error = yg.EngineError("no memory")
    with pytest.raises(yg.EngineError), holder.use():
        pass
    assert holder.state == "unloaded"
    loads.error = None
    with holder.use() as model:
        assert not is_closed(model)


def test_after_the_end_nothing_is_loaded() -> None:
    loads = Loads()
    holder = ModelHolder(loads)
    holder.load()
    holder.close()
    holder.close()
    with pytest.raises(yg.EngineError, match="stopping"), holder.use():
        pass
    assert [is_closed(model) for model in loads.models] == [True]


def in_threads(n: int, function: Callable[[int], None]) -> None:
    """Call `function` in `n` threads; raise what the first of them raised."""
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            function(number)
        except BaseException as exc:  # noqa: BLE001 - raised below
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_many_threads_use_a_model_that_is_unloaded_all_the_time() -> None:
    loads = Loads()
    holder = ModelHolder(loads)
    image = np.zeros((32, 32, 3), np.uint8)
    ended = threading.Event()

    def use(number: int) -> None:
        if number == 0:
            while not ended.is_set():
                holder.unload_if_idle(0)
            return
        try:
            for _ in range(60):
                time.sleep(0.002)
                with holder.use() as model, model.open(image) as scene:
                    assert str(scene.describe()) == ""
                    assert not is_closed(model)
        finally:
            if number == 1:
                ended.set()

    in_threads(3, use)
    assert [is_closed(model) for model in loads.models[:-1]] == [True] * (len(loads.models) - 1)
    assert len(loads.models) > 1
