"""What every test of pulling looks at afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.loopback_hub import MODEL, PROJECTOR, REPOSITORY, Hub
from youtu_gguf.files.catalog import Spec
from youtu_gguf.files.hub import PulledPair

SPEC = Spec(REPOSITORY, "Q8_0")


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


def command(hub: Hub, cache: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HF_") and not k.lower().endswith("_proxy")}
    return subprocess.Popen(
        [sys.executable, "-m", "youtu_gguf", *arguments],
        env=clean | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(cache), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
