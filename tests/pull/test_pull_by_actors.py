"""Actors of one machine that all lack the model: it is pulled once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.loopback_hub import COMMIT, MODEL, PROJECTOR, REPOSITORY, Exchange, Hub

N_ACTORS = 3
PATIENCE_S = 60.0
SPEC = f"{REPOSITORY}:Q8_0"
LOOK_UP = (
    "from huggingface_hub import constants; constants.HF_HUB_DOWNLOAD_TIMEOUT = 60\n"
    f"from youtu_gguf.cluster.weights import Wanted; print(Wanted({SPEC!r}).look_up().spec)"
)


def until_all_want_it(exchange: Exchange) -> bool:
    """Send nothing before every actor has found out that it lacks the files."""
    end = time.monotonic() + PATIENCE_S
    while len(exchange.hub.tokens) <= N_ACTORS and time.monotonic() < end:
        time.sleep(0.02)
    return False


def test_three_processes_at_once_pull_each_file_once(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    hub.troubles = [until_all_want_it]
    node = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_CACHE": str(tmp_path)}
    actors = [
        subprocess.Popen([sys.executable, "-c", LOOK_UP], env=node, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
        for _ in range(N_ACTORS)
    ]
    try:
        told = [actor.communicate(timeout=2 * PATIENCE_S)[0].strip() for actor in actors]
    finally:
        for actor in actors:
            actor.kill()
            actor.wait()
    assert told == [f"{SPEC}@{COMMIT}"] * N_ACTORS
    assert {name: hub.sent(name) for name in (MODEL, PROJECTOR)} == {
        name: len(contents[name]) for name in (MODEL, PROJECTOR)
    }
