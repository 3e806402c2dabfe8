"""What `inspect` says of good, odd and broken files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from gguf.gguf_writer import GGUFValue

import youtu_gguf as yg
from tests.conftest import Pair
from tests.edited import write_edited
from youtu_gguf.errors import ModelFileError
from youtu_gguf.facts import SPELLED_TAGS


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "youtu_gguf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_good_pair(tiny_pair: Pair) -> None:
    model, projector = yg.weights.inspect(*tiny_pair), yg.weights.inspect(*tiny_pair[::-1])
    assert (model.kind, projector.kind) == ("language model", "projector")
    assert model.problem is None
    assert projector.problem is None
    assert (model.encoding, projector.encoding) == ("Q8_0", "BF16")
    assert model.tokens is not None
    assert model.tokens.coordinates is not None
    assert (model.tokens.coordinates.count, model.tokens.n_bins) == (4096, 1000)
    assert [tag for tag, token in model.tokens.tags.items() if token is None] == list(SPELLED_TAGS)
    for found in (model, projector):
        assert sum(group.n_bytes for group in found.groups) < found.n_bytes
        assert "other" not in [group.name for group in found.groups]
        assert all(sum(group.encodings.values()) == group.n_tensors for group in found.groups)


def test_a_model_without_the_tokens(tmp_path: Path) -> None:
    def edit(metadata: dict[str, GGUFValue], _: Any) -> None:
        texts = metadata["tokenizer.ggml.tokens"].value
        for text in ("<box>", "<|vision_end|>", "<custom_7>"):
            texts[texts.index(text)] = f"not {text}"

    found = yg.weights.inspect(write_edited(tmp_path / "m.gguf", "model", edit))
    assert found.problem is not None
    assert "<|vision_end|>" in found.problem
    assert found.facts is None
    assert found.tokens is not None
    assert found.tokens.tags["<box>"] is None
    assert found.tokens.n_bins == 999


def test_a_projector_of_another_family(tmp_path: Path, tiny_pair: Pair) -> None:
    def edit(metadata: dict[str, GGUFValue], _: Any) -> None:
        metadata["clip.projector_type"].value = "qwen2vl_merger"

    path = write_edited(tmp_path / "mmproj.gguf", "projector", edit)
    found = yg.weights.inspect(path)
    assert found.kind == "projector"
    assert found.problem is not None
    assert "youtuvl" in found.problem
    assert yg.weights.inspect(tiny_pair[0], path).problem is not None


def test_a_truncated_file(tmp_path: Path, tiny_pair: Pair) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_pair[0].read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="truncated"):
        yg.weights.inspect(path)


def test_the_command_prints_it_and_ends_with_3_where_it_cannot_be_used(tiny_pair: Pair) -> None:
    good = run("inspect", *tiny_pair)
    assert good.returncode == 0, good.stderr
    assert "usable        yes with" in good.stdout
    bad = run("inspect", tiny_pair[0], tiny_pair[0], "--json")
    assert bad.returncode == 3
    assert json.loads(bad.stdout)["kind"] == "language model"
    assert "is a language model" in bad.stderr
