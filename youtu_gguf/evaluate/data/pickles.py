"""Pickle files of data sets, read without running what they name: lists, dictionaries, texts and numbers only.

A pickle is a program, and Python's reader calls whatever functions it names. Here each instruction is looked at before
anything is run: those that build plain values stay, everything else is refused. What is left cannot name a function
but those of `_NAMED`, cannot reserve memory that the file does not fill, and cannot nest keys without end.

Source: the instructions, and what follows each in a file, are those of `pickletools.opcodes` in Python's library.
"""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from youtu_gguf.errors import InputError
from youtu_gguf.evaluate.data.files import read_bytes

MAX_BYTES = 64 << 20
"""Size of a file at most: four bytes of a file can fill sixty of memory. RefCOCO's have some 20 to 30 MB."""

MAX_CONTAINERS = 1_000_000
"""Lists, dictionaries and sets in a file at most: two bytes can make one of 216. RefCOCO has half a million."""

MAX_DEPTH = 64
"""How deep lists and dictionaries may lie in each other."""

MAX_INT_BYTES = 16
"""Size of a number at most: writing out large ones takes time that grows with the square of their size."""

MAX_TUPLES = 4096
"""Tuples in a file at most: those that are keys are hashed by a function that calls itself for each tuple inside."""

_REMEDY = "Get the file again from its authors, or have it converted to JSON where it is trusted."

_FIXED = re.compile(
    rb"""(?:
    [Neusa()012\x88\x89\x90\x93\x94]                            # constants, additions, the stack
    | [Kqh]. | M.. | [Jj].{4} | G.{8} | r..[\x00-\x3F]\x00       # numbers, and values that occur again
    | \x80[\x00-\x05] | \x95.{8}                                # the protocol, a frame
    | [IL]-?[0-9]{1,39}L?\n | [pg][0-3]?[0-9]{1,6}\n | F[^\n]{1,64}\n # the same as lines of text
    | V[^\n]*\n
    | c[^\n]{1,100}\n[^\n]{1,100}\n                             # a name, which `_Plain.find_class` sees
    ){1,4096}""",
    re.DOTALL | re.VERBOSE,
)
"""One after the other, instructions of a fixed size or a line, as many as their count needs little memory for. Values
that occur again have numbers below 4 million, since Python reserves memory for the largest."""

_ESCAPES = (rb"\\", rb"\'", rb"\"", rb"\n", rb"\r", rb"\t")
_NO_HEXADECIMAL = re.compile(rb"\\(?!x[0-9a-f]{2})")
"""What Python 2 writes for characters in a quoted text; other characters it writes as hexadecimal numbers."""

_SIZED = {**dict.fromkeys(b"UC\x8c\x8a", 1), **dict.fromkeys(b"TXB\x8b", 4), **dict.fromkeys(b"\x8d\x8e", 8)}
"""How many bytes give the size of what follows an instruction."""

_LONG = b"\x8a\x8b"
_CONTAINER = b"]}\x8fld\x91R"
_TUPLE = b"t\x85\x86\x87"
_STOP, _QUOTED = ord("."), ord("S")
_REFUSED = {
    **dict.fromkeys(b"io\x81\x92", "makes an object of a class"),
    **dict.fromkeys(b"b", "sets the state of an object"),
    **dict.fromkeys(b"\x82\x83\x84", "refers to a registered class"),
    **dict.fromkeys(b"PQ\x97\x98", "refers to something outside the file"),
    **dict.fromkeys(b"\x96", "makes a bytearray"),
    **dict.fromkeys(b"\x80", "is for a protocol above 5"),
}
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({list, dict, tuple, set, frozenset})

_MISFITS = (pickle.UnpicklingError, EOFError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What Python's reader raises for instructions that do not fit each other."""


def read_pickle(path: Path) -> Any:
    """Return what a pickle file of protocol 0 to 5 holds. Texts of Python 2 become str byte by byte, as latin1.

    Returns:
        None, bool, int, float, str, bytes, list, tuple, dict, set or frozenset, no deeper in each other than
        `MAX_DEPTH`, and not so often in several places that writing them out would take more than the file.

    Raises:
        InputError: The file cannot be read, is no whole pickle, or holds anything else.
    """
    n_bytes = path.stat().st_size if path.is_file() else 0
    if n_bytes > MAX_BYTES:
        _refuse(path, f"got {n_bytes >> 20:,} MB, more than {MAX_BYTES >> 20}")
    data = read_bytes(path)
    _check_instructions(data, path)
    try:
        value = _Plain(data, path).load()
    except _MISFITS as exc:
        _refuse(path, f"its instructions do not fit each other ({exc})", exc)
    flaw = _flaw(value, max(len(data), 10_000))
    if flaw:
        _refuse(path, flaw)
    return value


def _refuse(where: object, found: str, cause: Exception | None = None) -> NoReturn:
    raise InputError(
        f"{where}: expected a pickle of lists, dictionaries, texts and numbers; {found}. {_REMEDY}"
    ) from cause


def _check_instructions(data: bytes, path: Path) -> None:
    """Look at each instruction of a pickle, up to the one that ends it.

    Raises:
        InputError: One is not among those that build plain values, or is cut off.
    """
    at = n_containers = n_tuples = 0
    while at < len(data):
        fixed = _FIXED.match(data, at)
        if fixed:
            at = fixed.end()
            continue
        code = data[at]
        if code == _STOP:
            return
        if code == _QUOTED:
            end = data.find(b"\n", at)
            if end < 0 or not _is_quoted(data[at + 1 : end]):
                _refuse(f"{path}, byte {at}", "got a quoted text that is not whole")
            at = end + 1
            continue
        if code in _CONTAINER:
            n_containers += 1
            if n_containers > MAX_CONTAINERS:
                _refuse(f"{path}, byte {at}", f"got more than {MAX_CONTAINERS:,} lists and dictionaries")
            at += 1
        elif code in _TUPLE:
            n_tuples += 1
            if n_tuples > MAX_TUPLES:
                _refuse(f"{path}, byte {at}", f"got more than {MAX_TUPLES} tuples")
            at += 1
        elif code in _SIZED:
            begin = at + 1 + _SIZED[code]
            size = int.from_bytes(data[at + 1 : begin], "little")
            if code in _LONG and size > MAX_INT_BYTES:
                _refuse(f"{path}, byte {at}", f"got a number of {size:,} bytes")
            at = begin + size
        else:
            _refuse(
                f"{path}, byte {at}", f"got an instruction that {_REFUSED.get(code, 'does not exist, or is not whole')}"
            )
    _refuse(path, "it ends too early")


def _is_quoted(text: bytes) -> bool:
    """Whether a line is a text in quotes as Python 2 writes it, which ends where its quote does."""
    quote, inside = text[:1], text[1:-1]
    if quote not in (b"'", b'"') or not text[1:].endswith(quote):
        return False
    for escape in _ESCAPES:
        inside = inside.replace(escape, b".")
    return quote not in inside and not _NO_HEXADECIMAL.search(inside)


def _to_bytes(text: object, encoding: object) -> bytes:
    """Return what Python 3 writes for bytes where Python 2 is to read them: `_codecs.encode(text, "latin1")`."""
    if not isinstance(text, str) or encoding != "latin1":
        raise TypeError("only texts in latin1 are encoded")
    return text.encode("latin1")


def _to_set(items: Iterable[Any] = ()) -> set[Any]:
    return set(items)


def _to_frozenset(items: Iterable[Any] = ()) -> frozenset[Any]:
    return frozenset(items)


def _no_bytes() -> bytes:
    return b""


_NAMED: dict[tuple[str, str], Callable[..., Any]] = {
    ("_codecs", "encode"): _to_bytes,
    **{
        (module, name): function
        for module in ("__builtin__", "builtins")
        for name, function in (("set", _to_set), ("frozenset", _to_frozenset), ("bytes", _no_bytes))
    },
}
"""What older protocols name to build sets and bytes. These functions of ours are called, not those named."""


class _Plain(pickle.Unpickler):
    """Python's reader, which finds nothing but `_NAMED`."""

    def __init__(self, data: bytes, path: Path) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """Return the function for a name.

        Raises:
            InputError: The name is another one.
        """
        function = _NAMED.get((module, name))
        if function is None:
            _refuse(self._path, f"got {ascii(module)[1:-1][:60]}.{ascii(name)[1:-1][:60]}, which is not loaded")
        return function


def _flaw(root: Any, most: int) -> str:
    """Return what is wrong with a value as a whole, "" if nothing: it contains itself, or is too deep or too large.

    Args:
        root: The value.
        most: How many values it may have, those in several places counted in each.
    """
    known: dict[int, tuple[int, int]] = {}  # the depth of a container, and how many values it has
    path: set[int] = set()
    todo = [] if type(root) in _SCALARS else [root]
    while todo:
        value = todo[-1]
        if type(value) not in _CONTAINERS:
            return "it holds a function"
        inner = [each for each in _inside(value) if type(each) not in _SCALARS]
        unknown = [each for each in inner if id(each) not in known]
        if unknown and id(value) in path:
            return "a list or dictionary contains itself"
        path.discard(id(value))
        depth = 1 + max((known[id(each)][0] for each in inner if id(each) in known), default=0)
        if len(path) + depth > MAX_DEPTH:
            return f"lists and dictionaries lie more than {MAX_DEPTH} deep in each other"
        if unknown:
            path.add(id(value))
            todo += unknown
            continue
        n = 1 + len(value) + sum(known[id(each)][1] for each in inner)
        if n > most:
            return f"it would be more than {most:,} values if those in several places were written out"
        known[id(value)] = (depth, n)
        while todo and id(todo[-1]) in known:
            todo.pop()
    return ""


def _inside(value: Any) -> Iterable[Any]:
    return chain(value, value.values()) if type(value) is dict else value
