"""Whom the note of an attempt blames when an actor dies."""

from __future__ import annotations

from pathlib import Path

from youtu_gguf.batch.attempts import Attempt, take_over
from youtu_gguf.batch.image import line_of
from youtu_gguf.batch.shards import Item, Shard
from youtu_gguf.batch.store import Store


def test_an_image_that_was_done_after_it_ended_a_process_is_not_blamed(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    shard = Shard("000001-000000", tuple(Item(name, name, "1") for name in ("a", "b")))
    attempt = Attempt(store, shard)
    attempt.begin("a")
    attempt.lose("a")
    attempt.begin("a")
    attempt.add("a", line_of("a", None))
    attempt.begin("b")
    assert take_over(store, "000002") == {"b": 1}
