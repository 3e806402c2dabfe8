"""Arrays in files of MATLAB: as scipy writes them, as it reads them, and broken."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat
from scipy.io.matlab import MatlabObject

import youtu_gguf as yg
from youtu_gguf.evaluate.data.matlab import MAX_BYTES, read_mat

ARRAY = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
WANTED = {"a": (2, 3, None), "b": (None, 5)}


def written(path: Path, compressed: bool = False, **variables: Any) -> Path:
    savemat(path, variables, do_compression=compressed)
    return path


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "u1", "i2", "u2", "i4", "u4", "i8", "?"])
def test_arrays_of_any_kind_come_back_as_they_were(kind: str, compressed: bool, tmp_path: Path) -> None:
    array = (ARRAY % 2 if kind == "?" else ARRAY).astype(kind)
    other = {"text": "words", "cell": np.array([["x", "yy"]], object), "nested": {"a": 1}, "empty": np.zeros((0, 5))}
    path = written(tmp_path / "a.mat", compressed, a=array, b=np.ones((3, 5)), **other)
    found = read_mat(path, WANTED)
    assert sorted(found) == ["a", "b"]
    assert found["a"].dtype == np.float64
    assert found["a"].tolist() == array.astype(np.float64).tolist()
    assert found["b"].tolist() == np.ones((3, 5)).tolist()
    assert read_mat(path, {"empty": (None, 5)})["empty"].shape == (0, 5)


def test_a_file_of_the_other_byte_order_is_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mat", a=np.array([[1.5, 2.5]]))
    little = path.read_bytes()
    # What scipy writes: tags, flags, dimensions and the name are of 4 bytes each, but for the name's; then two floats.
    tag_of_name = little.index(b"a", 128) - 4
    words = np.frombuffer(little[128:tag_of_name], "<u4").astype(">u4").tobytes()
    name = np.frombuffer(little[tag_of_name : tag_of_name + 4], "<u4").astype(">u4").tobytes()
    tag = np.frombuffer(little[-24:-16], "<u4").astype(">u4").tobytes()
    floats = np.frombuffer(little[-16:], "<f8").astype(">f8").tobytes()
    path.write_bytes(little[:124] + b"\x01\x00MI" + words + name + b"a\0\0\0" + tag + floats)
    assert read_mat(path, {"a": (1, 2)})["a"].tolist() == [[1.5, 2.5]]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "expected the variable a; there is none"),
        ({"a": np.zeros((2, 3))}, "a: expected numbers 2x3xn; got 2x3"),
        ({"a": np.zeros((2, 4, 4))}, "a: expected numbers 2x3xn; got 2x4x4"),
        ({"a": np.full((2, 3, 4), np.nan)}, "a: expected finite numbers"),
        ({"a": np.array([[1, "x"]], object)}, "a: expected an array of numbers; got a cell"),
        ({"a": {"x": 1}}, "got a structure"),
        ({"a": "words"}, "got a text"),
        ({"a": np.zeros((2, 3)) + 1j}, "got complex numbers"),
        ({"a": MatlabObject(np.array([(1,)], [("x", object)]), "inline")}, "got an object"),
    ],
)
def test_variables_that_are_no_such_arrays_are_refused(variables: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.mat", **variables, other=np.ones((1, 1)))
    with pytest.raises(yg.InputError, match=message):
        read_mat(path, {"a": (2, 3, None)})


def test_a_function_handle_is_refused_not_called(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mat", a=np.ones((1, 1)))
    data = bytearray(path.read_bytes())
    assert data[144] == 6  # the class of doubles, in the flags of the first variable
    data[144] = 16
    path.write_bytes(data)
    with pytest.raises(yg.InputError, match="a: expected an array of numbers; got a function handle"):
        read_mat(path, {"a": (1, 1)})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "its header lacks the mark of the byte order"),
        (b"\x80\x04K\x01." + bytes(200), "its header lacks the mark"),
        (b"MATLAB 7.3 MAT-file, by someone".ljust(200), "it is of 7.3. Save it with -v7"),
    ],
)
def test_files_that_are_of_other_kinds_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(data)
    with pytest.raises(yg.InputError, match=f"a.mat: expected a file of MATLAB.*{message}"):
        read_mat(tmp_path / "a.mat", {"a": (1, 1)})


def test_a_variable_that_inflates_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.mat")
    packed = zlib.compress(bytes(MAX_BYTES + 1), 1)
    path.write_bytes(path.read_bytes() + b"\x0f\0\0\0" + len(packed).to_bytes(4, "little") + packed)
    with pytest.raises(yg.InputError, match="a variable has more than 64 MiB"):
        read_mat(path, {"a": (1, 1)})


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_file_is_read_or_refused(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    path = written(tmp_path / "a.mat", bool(seed % 2), a=ARRAY, b=np.ones((3, 5)))
    whole = path.read_bytes()
    outcomes = []
    for n in range(60):
        data = bytearray(whole)
        for place in rng.integers(0 if n % 2 else 120, len(data), 1 + n % 4):
            data[place] = rng.integers(256)
        path.write_bytes(data[: rng.integers(1, len(data))] if n % 5 == 0 else data)
        try:
            outcomes.append(read_mat(path, WANTED)["a"].shape)
        except yg.InputError as exc:
            outcomes.append("a.mat" in str(exc))
    assert False not in outcomes
    assert True in outcomes
