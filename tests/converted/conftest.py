"""Pairs written as llama.cpp's converter writes them, in forms that tokenizers and configurations may lead to."""

from __future__ import annotations

from pathlib import Path

import pytest
from gguf.constants import TokenType

import youtu_gguf as yg
from tests.conftest import Pair
from tests.loopback_hub import MODEL, PROJECTOR
from tests.pull.conftest import hub  # noqa: F401 (a fixture)
from youtu_gguf.weights.synthetic.tokens import Naming
from youtu_gguf.weights.synthetic.variants import CHAT_TEMPLATE, VARIANTS, ZERO_PADDED, Variant

FORMS = {
    "published": VARIANTS["named"],
    "leftovers": Variant(
        Naming(ZERO_PADDED, TokenType.USER_DEFINED, added_type=TokenType.CONTROL),
        experts=True,
        add_bos=True,
        chat_template="\n" + CHAT_TEMPLATE,
    ),
    "bare": Variant(Naming(codebook_type=TokenType.NORMAL), add_bos=None, chat_template=None),
}
"""The published file's form as far as it is known, and two that each differ from it in everything that may differ."""


@pytest.fixture(scope="session", params=FORMS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The files of one form, under the published files' names."""
    folder: Path = tmp_path_factory.mktemp(request.param)
    model, projector = yg.weights.write_synthetic_pair(folder, "tiny", variant=FORMS[request.param])
    return model.rename(folder / MODEL), projector.rename(folder / PROJECTOR)


@pytest.fixture(scope="session")
def contents(pair: Pair) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in pair}


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test a cache, a state folder and a working folder of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("YOUTU_GGUF_CALIBRATIONS", str(tmp_path / "calibrations"))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
