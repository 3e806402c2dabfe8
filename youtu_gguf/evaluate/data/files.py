"""Files of data sets: nothing outside the folder is opened, and what is broken is told with its file and place."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from youtu_gguf.errors import InputError

T = TypeVar("T")

_DRIVE = re.compile(r"^[A-Za-z]:")
_SHOWN = 60


def data_folder(path: Path) -> Path:
    """Return the folder of a data set, as an absolute path.

    Raises:
        InputError: It is no folder.
    """
    if not path.is_dir():
        raise InputError(f"expected the folder of a data set; {path} is none. Check the path.")
    return path.absolute()


def inside(folder: Path, name: object, where: str) -> Path:
    """Return the path of a file that a data set names, below `folder`.

    Links in the folder are followed: they are its owner's. Names are the data set's, and must not lead out.

    Args:
        folder: Where the file is looked for.
        name: Its path below that, with "/".
        where: The file, and the place in it, where the name stands; for the message.

    Raises:
        InputError: It is no text, or leads out of the folder.
    """
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputError(f"{where}: expected the name of a file; got {_shown(name)}.")
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or _DRIVE.match(name):
        raise InputError(f"{where}: expected the name of a file below {folder}; got {name!r}, which leads out of it.")
    return folder.joinpath(*path.parts)


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as exc:
        raise InputError(f"expected {path}; got: {exc.strerror}. See `youtu-gguf eval list NAME`.") from exc


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file.

    Raises:
        InputError: It cannot be read, or is not UTF-8.
    """
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise InputError(f"{path}, line {line}: expected UTF-8; got the byte 0x{data[exc.start]:02x}.") from exc


def read_json(path: Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        InputError: It cannot be read, or is not JSON.
    """
    return _parsed(read_text(path), path, 1)


def read_json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield what each line of a JSON-lines file holds, after "FILE, line N" for messages; empty lines are left out.

    Raises:
        InputError: The file cannot be read, or a line is not JSON.
    """
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.strip():
            yield f"{path}, line {number}", _parsed(line, path, number)


def entry(record: Any, key: str, kind: type[T] | tuple[type[T], ...], where: str) -> T:
    """Return what a record of a data set has under `key`.

    Args:
        record: What should be an object of JSON.
        key: The key.
        kind: What it should be. A whole number counts as a float; true and false do not count as numbers.
        where: The file, and the place in it, for the message, as "instances.json, annotations[3]".

    Raises:
        InputError: The record is no object, lacks the key, or has something else there.
    """
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names = " or ".join(kind.__name__ for kind in kinds)
    if not isinstance(record, dict):
        raise InputError(f"{where}: expected an object with {key!r}; got {_shown(record)}.")
    if key not in record:
        raise InputError(f"{where}: expected {key!r} ({names}); there is none.")
    value = record[key]
    if float in kinds and type(value) is int and abs(value) <= sys.float_info.max:
        value = float(value)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise InputError(f"{where}: expected {key!r} to be {names}; got {_shown(value)}.")
    return value


def _parsed(text: str, path: Path, first_line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        line = first_line + exc.lineno - 1
        raise InputError(f"{path}, line {line}, column {exc.colno}: expected JSON; {exc.msg}.") from exc
    except ValueError as exc:  # a whole number with thousands of digits
        raise InputError(f"{path}, line {first_line}: expected JSON; got: {exc}.") from exc
    except RecursionError as exc:
        raise InputError(f"{path}, line {first_line}: expected JSON; it is nested too deeply.") from exc


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
