"""What every test of pulling looks at afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.loopback_hub import MODEL, PROJECTOR, REPOSITORY, Hub
from youtu_gguf.hub.local import PulledPair
from youtu_gguf.hub.spec import Spec

SPEC = Spec(REPOSITORY, "Q8_0")
PATIENCE_S = 60.0


def use_endpoint(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set HF_ENDPOINT for a huggingface-hub that is imported already."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", url)


def check_pulled(pulled: PulledPair, contents: dict[str, bytes]) -> None:
    assert pulled.model.read_bytes() == contents[MODEL]
    assert pulled.projector.read_bytes() == contents[PROJECTOR]
    assert (pulled.model.name, pulled.projector.name) == (MODEL, PROJECTOR)


def whole_files(cache: Path, contents: dict[str, bytes]) -> set[str]:
    """Return which files there are under a final name; all of them must be right."""
    found = {path.name for path in cache.rglob("*.gguf") if not path.name.startswith(".")}
    for path in cache.rglob("*.gguf"):
        assert path.name.startswith(".") or path.read_bytes() == contents[path.name]
    for blob in cache.glob("models--*/blobs/*"):
        assert blob.suffix == ".incomplete" or blob.read_bytes() in contents.values()
    return found


def environment(hub: Hub, cache: Path, **variables: str) -> dict[str, str]:
    """Return the variables of a process that knows no hub but ours."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and not k.lower().endswith("_proxy")}
    return clean | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), **variables}


def command(hub: Hub, cache: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "youtu_gguf", *arguments],
        env=environment(hub, cache, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def arrives(process: subprocess.Popen[str], hub: Hub, cache: Path, position: int) -> bool:
    """Wait until a process that pulls has the model up to `position`; false where it ends before."""
    deadline = time.monotonic() + PATIENCE_S
    partial = f"models--*/blobs/{hub.digest(MODEL)}.incomplete"
    while not any(path.stat().st_size >= position for path in cache.glob(partial)):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            return False
        time.sleep(0.005)
    return True
