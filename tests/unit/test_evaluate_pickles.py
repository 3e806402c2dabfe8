"""Pickle files of data sets: plain values as Python reads them, and nothing that a file could do."""

from __future__ import annotations

import os
import pickle
import random
import struct
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from youtu_gguf.evaluate.data.pickles import MAX_CONTAINERS, MAX_DEPTH, MAX_TUPLES, read_pickle

PYTHON_2 = {
    "protocol 0": b"(dp1\nS'tokens'\np2\n(lp3\nS\"man's\"\np4\naS'\\xe9\\n\\\\x\"'\np5\nasS'id'\nI1\nsS'n'\n"
    b"L8589934592L\nsS'ok'\nI01\nsS'u'\nVthe \\u20ac\np6\nsS's'\nc__builtin__\nset\np7\n((lp8\nI1\natRp9\nsS'f'\nF1.5\n"
    b"s.",
    "protocol 2": b"\x80\x02}q\x01(U\x06tokens]q\x02(U\x05man'sq\x03U\x05\xe9\n\\x\"q\x04eU\x02idK\x01U\x01n\x8a\x05"
    b"\x00\x00\x00\x00\x02U\x02ok\x88U\x01uX\x07\x00\x00\x00the \xe2\x82\xacq\x05U\x01sc__builtin__\nset\nq\x06]q\x07"
    b"K\x01a\x85Rq\x08U\x01fG?\xf8\x00\x00\x00\x00\x00\x00u.",
}
"""One value, as cPickle of Python 2.7 writes it."""


def read(data: bytes, folder: Path) -> Any:
    path = folder / "refs(unc).p"
    path.write_bytes(data)
    return read_pickle(path)


def plain_value(rng: random.Random, depth: int = 0) -> Any:
    def text() -> str:
        return "".join(rng.choice("ab\\\n'\"é€😀\x00 \t\r") for _ in range(rng.choice((0, 3, 300))))

    def key() -> Any:
        return rng.choice((rng.randrange(99), text(), (1, "a", None), None, 2.5, b"q"))

    n = rng.randrange(5)
    numbers = (0, 1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -1, -(2**31), -(2**40), 2**63, 2**120)
    plain = (None, True, rng.choice(numbers), rng.uniform(-1e9, 1e9), text(), rng.randbytes(n))
    if depth == 4 or rng.random() < 0.3:
        return rng.choice(plain)
    inner = [plain_value(rng, depth + 1) for _ in range(n)]
    keys = [key() for _ in range(n)]
    containers = (inner, tuple(inner), {key(): value for value in inner}, set(keys), frozenset(keys))
    return rng.choice(containers)


def test_values_are_those_that_pythons_reader_gives(tmp_path: Path) -> None:
    rng = random.Random(0)
    for i in range(200):
        value = plain_value(rng)
        found = read(pickle.dumps(value, i % 6), tmp_path)
        assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("data", PYTHON_2.values(), ids=PYTHON_2)
def test_texts_of_python_2_become_texts(data: bytes, tmp_path: Path) -> None:
    assert read(data, tmp_path) == {
        "tokens": ["man's", 'é\n\\x"'], "id": 1, "n": 2**33, "ok": True, "u": "the €", "s": {1}, "f": 1.5,
    }  # fmt: skip
    assert read(data, tmp_path) == pickle.loads(data, encoding="latin1")


class Runs:
    """Calls a function when it is read."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


class Plain:
    """An object with a state."""

    def __init__(self) -> None:
        self.name = "x"


def harm(protocol: int, witness: Path) -> dict[str, bytes]:
    command = f"touch {witness}"
    return {
        "os.system": pickle.dumps([Runs(os.system, command)], protocol),
        "eval": pickle.dumps({"a": Runs(eval, f"open({str(witness)!r}, 'w')")}, protocol),
        "getattr": pickle.dumps(Runs(getattr, "", "__class__"), protocol),
        "import": pickle.dumps(Runs(__import__, "os"), protocol),
        "open": pickle.dumps(Runs(open, str(witness), "w"), protocol),
        "an object": pickle.dumps(Plain(), protocol),
        "a class": pickle.dumps(Plain, protocol),
        "a function": pickle.dumps([len], protocol),
        "bytearray": pickle.dumps(bytearray(3), protocol),
        "complex": pickle.dumps(1j, protocol),
    }


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_that_a_file_names_is_called(protocol: int, tmp_path: Path) -> None:
    for data in harm(protocol, tmp_path / "harmed").values():
        with pytest.raises(yg.InputError, match=r"refs\(unc\)\.p.*expected a pickle of lists.*Get the file again"):
            read(data, tmp_path)
    assert not (tmp_path / "harmed").exists()


def test_the_name_that_is_refused_is_shown(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"got builtins\.eval, which is not loaded"):
        read(pickle.dumps(Runs(eval, "1"), 4), tmp_path)


HOSTILE = {
    "INST": (b"(S'true'\nios\nsystem\n.", "makes an object"),
    "OBJ": (b"(cos\nsystem\nS'true'\no.", "makes an object"),
    "NEWOBJ": (b"\x80\x02cos\nsystem\n)\x81.", "makes an object"),
    "BUILD": (b"\x80\x02}}b.", "state"),
    "EXT1": (b"\x80\x02\x82\x01.", "registered class"),
    "EXT4": (b"\x80\x02\x84\x01\x00\x00\x00.", "registered class"),
    "PERSID": (b"Pabc\n.", "outside the file"),
    "BINPERSID": (b"K\x01Q.", "outside the file"),
    "NEXT_BUFFER": (b"\x80\x05\x97.", "outside the file"),
    "STACK_GLOBAL": (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", r"os\.system"),
    "a name built from an attribute": (b"\x80\x04\x8c\x08builtins\x8c\x0cset.__init__\x93.", r"set\.__init__"),
    "a name on several lines": (b"cos\r\nsystem\n.", r"os\\r\.system"),
    "another encoding": (b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "latin1"),
    "a function as the value": (b"c__builtin__\nset\n.", "function"),
    "a function among values": (b"(lc__builtin__\nset\na.", "function"),
    "a function as a key": (b"}c__builtin__\nset\nK\x01s.", "function"),
    "an unknown protocol": (b"\x80\x06N.", "protocol above 5"),
    "no instruction": (b"\xff", "does not exist"),
    "nothing": (b"", "too early"),
    "no end": (b"]", "too early"),
    "nothing on the stack": (b".", "do not fit"),
    "a list without values": (b"a.", "do not fit"),
    "a value that was not stored": (b"h\x05.", "do not fit"),
    "a key without a value": (b"}(K\x01u.", "do not fit"),
    "a list as a key": (b"}]K\x01s.", "do not fit"),
    "an addition to a number": (b"K\x01K\x02a.", "do not fit"),
    "a text without its end": (b"S'abc\n.", "not whole"),
    "a text without its line's end": (b"S'abc'", "not whole"),
    "a text that ends before its line": (b"S'abc'd'\n.", "not whole"),
    "a text whose last quote is escaped": (b"S'abc\\'\n.", "not whole"),
    "a text with half an escape": (b"S'\\x4'\n.", "not whole"),
    "a quote alone": (b"S'\n.", "not whole"),
    "a text of 4 GB": (b"X\xff\xff\xff\xffa.", "too early"),
    "a text of 16 EB": (b"\x80\x04\x8d" + b"\xff" * 8 + b".", "too early"),
    "a frame of 16 EB": (b"\x80\x04\x95" + b"\xff" * 8 + b"N.", "do not fit"),
    "a number of 2 GB": (b"\x8b\xff\xff\xff\x7f.", "number of"),
    "a number of many digits": (b"I" + b"9" * 5000 + b"\n.", "not whole"),
    "a place in the memo that takes 64 GB": (b"]r\xff\xff\xff\xff.", "not whole"),
    "the same as text": (b"]p4294967295\n.", "not whole"),
    "a list in itself": (b"]q\x00h\x00a.", "contains itself"),
    "dictionaries in each other": (b"}q\x00K\x01}q\x01K\x01h\x00ss.", "contains itself"),
    "lists in each other": (b"]" * (MAX_DEPTH + 1) + b"a" * MAX_DEPTH + b".", f"more than {MAX_DEPTH} deep"),
    "many lists in each other": (b"]" * 200_000 + b"a" * 199_999 + b".", "deep"),
    "tuples as a key": (b"})" + b"\x85" * 200_000 + b"Ns.", f"more than {MAX_TUPLES} tuples"),
    "more lists than a data set has": (b"]" * (MAX_CONTAINERS + 1) + b".", "more than 1,000,000 lists"),
    "copies of copies": (b"]" + b"".join(b"q%c](" % i + b"h%c" % i * 9 + b"e" for i in range(40)) + b".", "written"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_and_broken_files_are_refused(data: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=rf"refs\(unc\)\.p.*{message}"):
        read(data, tmp_path)


def test_lists_may_be_as_deep_as_is_stated(tmp_path: Path) -> None:
    value = read(b"]" * MAX_DEPTH + b"a" * (MAX_DEPTH - 1) + b".", tmp_path)
    for _ in range(MAX_DEPTH - 1):
        (value,) = value
    assert value == []


def test_a_value_in_two_places_is_read(tmp_path: Path) -> None:
    shared = ["the", "left", "cup"]
    assert read(pickle.dumps([shared, shared, {"tokens": shared}]), tmp_path) == [shared, shared, {"tokens": shared}]


@pytest.mark.parametrize("protocol", range(6))
def test_a_file_cut_off_anywhere_is_refused(protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps([{"sentences": [{"sent": "the left cup", "sent_id": 300, "tokens": ["the", "é"]}]}], protocol)
    for length in range(len(data)):
        with pytest.raises(yg.InputError):
            read(data[:length], tmp_path)


def test_a_file_with_a_byte_changed_is_read_or_refused(tmp_path: Path) -> None:
    rng = random.Random(1)
    whole = [pickle.dumps(plain_value(rng), i % 6) for i in range(60)]
    for i in range(800):
        data = bytearray(whole[i % len(whole)])
        data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read(bytes(data), tmp_path)
        except yg.InputError:
            continue


def test_a_large_number_is_read_to_its_limit(tmp_path: Path) -> None:
    assert read(b"\x8a\x10" + struct.pack("<QQ", 7, 1) + b".", tmp_path) == 7 + 2**64
    with pytest.raises(yg.InputError, match="number of 17 bytes"):
        read(b"\x8a\x11" + b"\x01" * 17 + b".", tmp_path)


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "refs(unc).p"
    path.touch()
    os.truncate(path, 1 << 40)
    with pytest.raises(yg.InputError, match=r"got 1,048,576 MB, more than 64"):
        read_pickle(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"refs\(unc\)\.p; got: No such file"):
        read_pickle(tmp_path / "refs(unc).p")
