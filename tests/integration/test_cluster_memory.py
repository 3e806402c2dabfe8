"""Actors of one machine have the weights in memory once."""

from __future__ import annotations

import sys
from pathlib import Path

import psutil
import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.bench._smaps import Share, memory_of
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.batch import Asked, Worker
from youtu_gguf.batch.image import Done, Questions, Work
from youtu_gguf.cluster.weights import Loading

BAR = 0.55
ASKED = (Asked("depth", yg.Question("depth")), Asked("count", yg.Question("count", ("car",))))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_actors_share_the_pages_of_their_weights(tmp_path: Path) -> None:
    image = tmp_path / "image.png"
    Image.fromarray(draw(TEST_SEEDS).rgb).save(image)
    loading = Loading.of("nano", max_tokens=8).sized(1)
    before = psutil.Process().children()
    with Worker(loading.load) as one, Worker(loading.load) as two:
        for worker in (one, two):
            worker.prepare(Work(Questions(ASKED, ()), tmp_path))
            worker.start(image)
            assert isinstance(worker.wait(), Done)
        children = [child.pid for child in psutil.Process().children() if child not in before]
        weights = sum((memory_of(pid)[0] for pid in children), Share())
    assert len(children) == 2
    assert loading.found is not None
    files = sum(Path(path).stat().st_size for path in (loading.found.model, loading.found.projector))
    assert weights.rss > files  # both have more than half of it, or the share would say nothing
    assert weights.pss <= BAR * weights.rss
