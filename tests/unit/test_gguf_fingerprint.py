"""A fingerprint changes with what is in a file, and with nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from tests.edited import write_edited
from youtu_gguf.gguf.fingerprint import fingerprint
from youtu_gguf.gguf.header import read_header


def of(*paths: Path) -> str:
    return fingerprint(*map(read_header, paths))


def test_name_and_place_make_no_difference(tiny_pair: Pair, tmp_path: Path) -> None:
    assert of(Path(shutil.copy(tiny_pair[0], tmp_path / "other.gguf"))) == of(tiny_pair[0])


def test_order_and_number_of_files_do(tiny_pair: Pair) -> None:
    model, projector = tiny_pair
    assert len({of(model), of(projector), of(model, projector), of(projector, model)}) == 4


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_changed_byte_of_a_tensor_does(tiny_pair: Pair, tmp_path: Path, place: float) -> None:
    """In small files every byte is read."""
    path = Path(shutil.copy(tiny_pair[0], tmp_path))
    data = bytearray(path.read_bytes())
    start = min(tensor.offset for tensor in read_header(path).tensors.values())
    data[start + int(place * (len(data) - 1 - start))] ^= 1
    path.write_bytes(data)
    assert of(path) != of(tiny_pair[0])


def test_changed_metadata_do(tmp_path: Path) -> None:
    def rename(metadata: dict, _specs: list) -> None:
        metadata["general.name"].value = "another"

    one = write_edited(tmp_path / "one.gguf", "model", lambda _metadata, _specs: None)
    other = write_edited(tmp_path / "other.gguf", "model", rename)
    assert of(one) != of(other)


def test_a_file_that_is_gone_is_said(tiny_pair: Pair, tmp_path: Path) -> None:
    path = Path(shutil.copy(tiny_pair[0], tmp_path))
    header = read_header(path)
    path.unlink()
    with pytest.raises(yg.ModelFileError, match="expected to read"):
        fingerprint(header)
