"""Reading GGUF headers, whole and broken."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader, GGUFWriter
from gguf.constants import GGMLQuantizationType, GGUFValueType

from youtu_gguf.errors import ModelFileError
from youtu_gguf.gguf.header import MAX_ITEMS, GGUFArray, read_header


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    writer = GGUFWriter(tmp_path / "whole.gguf", "deepseek2")
    writer.add_name("größe")
    writer.add_uint32("a.number", 7)
    writer.add_float32("a.real", 0.5)
    writer.add_bool("a.flag", True)
    writer.add_array("a.integers", [3, -1, 2])
    writer.add_token_list(["a", "é", ""])
    writer.add_tensor("small", np.arange(12, dtype=np.float32).reshape(3, 4))
    writer.add_tensor("large", np.ones((5, 34), np.uint8), raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "whole.gguf"


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def header(n_tensors: int, n_keys: int, body: bytes = b"", version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, n_tensors, n_keys) + body


def key(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def tensor(name: bytes, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def array(kind: int, count: int, items: bytes = b"") -> bytes:
    return struct.pack("<IQ", kind, count) + items


def test_scalars_come_with_their_values_and_types(whole: Path) -> None:
    found = read_header(whole)
    assert found.architecture == "deepseek2"
    assert [found.metadata[f"a.{name}"] for name in ("number", "real", "flag")] == [7, 0.5, True]
    assert found.metadata["general.name"] == "größe"
    assert found.types["a.number"] is GGUFValueType.UINT32


def test_arrays_are_decoded_on_demand(whole: Path) -> None:
    metadata = read_header(whole).metadata
    tokens, integers = metadata["tokenizer.ggml.tokens"], metadata["a.integers"]
    assert isinstance(tokens, GGUFArray)
    assert isinstance(integers, GGUFArray)
    assert (len(tokens), tokens.strings(), list(tokens.byte_strings())) == (
        3,
        ["a", "é", ""],
        [b"a", "é".encode(), b""],
    )
    assert integers.numbers().tolist() == [3, -1, 2]


def test_array_asked_for_the_wrong_kind_of_items_says_so(whole: Path) -> None:
    metadata = read_header(whole).metadata
    with pytest.raises(ModelFileError, match="expected an array of numbers"):
        metadata["tokenizer.ggml.tokens"].numbers()  # type: ignore[union-attr]
    with pytest.raises(ModelFileError, match="expected an array of strings"):
        metadata["a.integers"].strings()  # type: ignore[union-attr]


def test_tensors_are_placed_where_the_reference_reader_finds_them(whole: Path) -> None:
    ours = read_header(whole).tensors
    theirs = {
        t.name: (tuple(t.shape.tolist()), t.tensor_type, t.data_offset, t.n_bytes) for t in GGUFReader(whole).tensors
    }
    assert {name: (t.shape, t.type, t.offset, t.n_bytes) for name, t in ours.items()} == theirs
    assert (ours["small"].row_bytes, ours["large"].row_bytes) == (16, 34)


def test_missing_file_is_reported_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.gguf; there is none"):
        read_header(tmp_path / "nowhere.gguf")


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is a folder"):
        read_header(tmp_path)


MISTAKEN = {
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64, r"Git LFS.*`git lfs pull`"),
    "Xet": (b"# xet version 0\nfilesize = 5\n", "Xet.*`youtu-gguf pull`"),
    "web page": (b"\n <!DOCTYPE html><html>", "a web page"),
    "web page with a mark": (b"\xef\xbb\xbf<html>", "a web page"),
    "error message": (b'{"error": "Repository not found"}', "JSON"),
    "gzip": (b"\x1f\x8b\x08\0", "compressed with gzip.*Unpack"),
    "zip": (b"PK\x03\x04\0\0", "ZIP archive or a PyTorch checkpoint"),
    "safetensors": (struct.pack("<Q", 99) + b'{"a":', "safetensors.*convert_hf_to_gguf"),
    "older format": (b"tjgg\x03\0\0\0", "format before GGUF"),
    "room made for a download": (bytes(4096), "zero bytes.*Download it again"),
}


@pytest.mark.parametrize("name", MISTAKEN)
def test_what_is_taken_for_a_model_by_mistake_is_named(name: str, tmp_path: Path) -> None:
    data, message = MISTAKEN[name]
    (tmp_path / "model.gguf").write_bytes(data)
    with pytest.raises(ModelFileError, match=message):
        read_header(tmp_path / "model.gguf")


def test_an_unfinished_download_is_named(whole: Path, tmp_path: Path) -> None:
    (tmp_path / "model.gguf.part").write_bytes(whole.read_bytes()[:-50])
    with pytest.raises(ModelFileError, match=r"truncated\. Finish the download"):
        read_header(tmp_path / "model.gguf.part")


def test_links_that_lead_nowhere_or_in_a_circle_are_named(tmp_path: Path) -> None:
    (tmp_path / "gone.gguf").symlink_to("nowhere")
    (tmp_path / "a.gguf").symlink_to("b.gguf")
    (tmp_path / "b.gguf").symlink_to("a.gguf")
    for name, target in (("gone", "nowhere"), ("a", "b.gguf")):
        with pytest.raises(ModelFileError, match=f"a link to {target}, which"):
            read_header(tmp_path / f"{name}.gguf")


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_the_system_refuses_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="expected"):
        read_header(tmp_path / name)


BROKEN = {
    "empty": (b"", "that is empty"),
    "text": (b"hello, I am no model", "starting with b'hell'"),
    "magic only": (b"GGUF", "cut short"),
    "version 1": (header(0, 0, version=1), "version 2 or 3"),
    "big-endian": (header(0, 0, version=3 << 24), "version 2 or 3"),
    "more tensors than bytes": (header(1 << 60, 0), "at most 0 tensors were expected .* got 1,152"),
    "more keys than bytes": (header(0, 1 << 60), "at most 0 metadata keys"),
    "endless name": (header(0, 1, struct.pack("<Q", 1 << 62) + bytes(64)), "cut short"),
    "name is not text": (header(0, 1, key(b"\xff\xfe", 4, bytes(4))), "UTF-8 name"),
    "unknown value type": (header(0, 1, key(b"k", 99, bytes(8))), "value type was expected; got 99"),
    "array of arrays": (header(0, 1, key(b"k", 9, array(9, 1, bytes(32)))), "item type 9"),
    "more numbers than bytes": (header(0, 1, key(b"k", 9, array(4, 1 << 40))), "array items"),
    "more strings than bytes": (header(0, 1, key(b"k", 9, array(8, 1 << 40))), "array items"),
    "endless string in an array": (header(0, 1, key(b"k", 9, array(8, 2, text(b"a") + b"\xff" * 8))), "cut short"),
    "key twice": (header(0, 2, key(b"k", 4, bytes(4)) * 2), "'k' comes twice"),
    "alignment of three": (header(0, 1, key(b"general.alignment", 4, b"\3\0\0\0")), "power of two; got 3"),
    "tensor of no dimensions": (header(1, 0, tensor(b"t", ()) + bytes(64)), "1 to 4 dimensions; got 0"),
    "tensor of many dimensions": (
        header(1, 0, text(b"t") + struct.pack("<I", 1 << 31) + bytes(64)),
        "1 to 4 dimensions",
    ),
    "tensor of unknown type": (header(1, 0, tensor(b"t", (4,), kind=77)), "known type; got 77"),
    "tensor with half a block": (header(1, 0, tensor(b"t", (33,), kind=8)), "whole Q8_0 blocks"),
    "tensor without values": (header(1, 0, tensor(b"t", (0, 4))), "whole F32 blocks"),
    "tensor twice": (header(2, 0, tensor(b"t", (4,)) * 2 + bytes(64)), "'t' comes twice"),
    "tensor off its alignment": (header(1, 0, tensor(b"t", (4,), offset=7) + bytes(64)), "got offset 7"),
    "tensors one over the other": (header(2, 0, tensor(b"t", (4,)) + tensor(b"u", (4,)) + bytes(64)), "got offset 0"),
    "tensors with a gap": (header(2, 0, tensor(b"t", (4,)) + tensor(b"u", (4,), offset=64) + bytes(128)), "offset 64"),
    "tensor past the end": (header(1, 0, tensor(b"t", (1024,)) + bytes(64)), "truncated"),
    "tensor larger than any disk": (header(1, 0, tensor(b"t", (1 << 62, 1 << 62)) + bytes(64)), "truncated"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file_is_refused_with_what_is_wrong(name: str, tmp_path: Path) -> None:
    content, finding = BROKEN[name]
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(ModelFileError, match=finding) as caught:
        read_header(tmp_path / "broken.gguf")
    assert "broken.gguf" in str(caught.value)


def test_file_cut_anywhere_is_refused(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    end = max(t.offset + t.n_bytes for t in read_header(whole).tensors.values())
    cut = tmp_path / "cut.gguf"
    for length in range(end):
        cut.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            read_header(cut)


def test_any_flipped_byte_is_read_or_refused_but_never_worse(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()
    flipped = tmp_path / "flipped.gguf"
    for at in range(4, 500):
        flipped.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        try:
            read_header(flipped)
        except ModelFileError:
            continue


def test_array_longer_than_any_vocabulary_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "sparse.gguf"
    with path.open("wb") as file:
        file.write(header(0, 1, key(b"k", 9, array(8, MAX_ITEMS + 1))))
        file.truncate(MAX_ITEMS * 16)
    with pytest.raises(ModelFileError, match="array items"):
        read_header(path)
