"""What a batch has finished so far, stored so that nothing is lost when the process is killed.

A folder holds `settings.json`, written before anything else; `results.jsonl`, to which a finished image adds one line
that is on the disk before the next image begins; and `files/` with the files of each image and the parts of data sets,
written before the line. So a line means that the image is finished; a half-written last line, or files without a line,
mean that it is done again.
While a batch runs, `begun.json` counts how often each image without a line was begun: an image that kills everything,
this process too, is known by that.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from youtu_gguf.atomic import DISK_FULL, json_bytes, writing
from youtu_gguf.batch.datasets import clear_datasets
from youtu_gguf.batch.settings import FORMAT, SETTINGS, compare, of_another
from youtu_gguf.errors import InputError, OutputError
from youtu_gguf.locks import locked
from youtu_gguf.output import write_bytes

RESULTS, FILES, BEGUN, LOCK = "results.jsonl", "files", "begun.json", ".lock"

WRITTEN = re.compile(r"[\w.-]+-[0-9a-f]{8}/\.?\d+-[a-z_]+\.[\w.-]+")
"""What a batch writes below `FILES` (see `batch.run.folder_of`); a half-written file has a dot before its name."""

Line = dict[str, Any]


class Journal:
    """The output folder of a batch: a context manager, which locks out other processes.

    Args:
        folder: Created if it does not exist.
        settings: The settings that the results depend on, as JSON; they must be the same in every run.
        restart: Delete what earlier runs wrote, and nothing else, and start over.

    Attributes:
        lines: The line of every finished image, by the name of the image.

    Raises:
        InputError: The folder is not a batch's, another process is using it, or it was written with other settings.
        OutputError: The folder cannot be written to.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, restart: bool = False) -> None:
        self.folder = folder
        self.lines: dict[str, Line] = {}
        self._lost: dict[str, int] = {}  # how often images were in progress when their process died
        self._in_progress: set[str] = set()
        self._results: IO[bytes] | None = None
        self._lock = ExitStack()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(locked(folder / LOCK, self._refuse))
        try:
            if restart:
                self._restart()
            with writing(folder):
                for stale in (
                    *folder.glob(f".{RESULTS}.*"),
                    *folder.glob(f".{SETTINGS}.*"),
                ):  # left by a run that was killed
                    stale.unlink()
            self._check({"format": FORMAT, **settings})
            self._read()
        except BaseException:
            self._lock.close()
            raise

    def add(self, name: str, line: Line) -> None:
        """Add the line of a finished image. It is on the disk when this returns.

        Raises:
            OutputError: The line cannot be written. No part of it is left where the system allows that.
        """
        path = self.folder / RESULTS
        try:
            if self._results is None:
                self._results = path.open("ab", buffering=0)
            file = self._results.fileno()
            if not os.path.samestat(os.fstat(file), path.stat()):
                raise OutputError(
                    f"{path} was moved or replaced while a batch was writing to it. Put it back, and run the same "
                    "command again."
                )
            length = os.fstat(file).st_size
            try:
                rest = memoryview(json_bytes(line))
                while rest:
                    rest = rest[os.write(file, rest) :]
                os.fsync(file)
            except OSError:
                with suppress(OSError):
                    os.truncate(file, length)
                raise
        except OSError as exc:
            remedy = "Free some disk space" if exc.errno in DISK_FULL else "Let this user write there"
            raise OutputError(
                f"cannot write {path}: {exc.strerror}. {remedy} and run the same command again; finished images are "
                "kept."
            ) from exc
        self.lines[name] = line
        self._in_progress.discard(name)
        self._lost.pop(name, None)

    def begin(self, name: str) -> None:
        """Note that an image is begun, before it can do harm.

        Raises:
            OutputError: That cannot be written.
        """
        self._in_progress.add(name)
        self._note()

    def tries(self, name: str) -> int:
        """Return how often an image without a line was begun, in this run and in those that were killed."""
        return self._lost.get(name, 0) + (name in self._in_progress)

    def lose(self, name: str) -> None:
        """Note that the process died while it was at work on an image that was begun."""
        self._lost[name] = self.tries(name)
        self._in_progress.discard(name)

    def let_go(self) -> None:
        """Take back that the images in progress were begun: what ended was their batch, by something else."""
        self._in_progress.clear()
        with suppress(OutputError):  # what ended the batch matters more
            self._note()

    def _note(self) -> None:
        path = self.folder / BEGUN
        with writing(path):
            if begun := {name: self.tries(name) for name in {**self._lost, **dict.fromkeys(self._in_progress)}}:
                path.write_text(json.dumps(begun), encoding="utf-8")
            else:
                path.unlink(missing_ok=True)

    def drop(self, unwanted: Callable[[Line], bool]) -> None:
        """Delete the lines of images that must be done again."""
        kept = {name: line for name, line in self.lines.items() if not unwanted(line)}
        if len(kept) < len(self.lines):
            self.lines = kept
            self._rewrite()

    def clear_files(self, name: str) -> None:
        """Delete the folder `name`, which an earlier run wrote for an image that is not finished."""
        shutil.rmtree(self.folder / FILES / name, ignore_errors=True)

    def close(self) -> None:
        """Release the folder for other processes."""
        if self._results is not None:
            self._results.close()
            self._results = None
        self._lock.close()

    def _refuse(self) -> None:
        raise InputError(
            f"expected {self.folder} to be free; another batch is at work in it. Wait for it, or name another folder."
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _restart(self) -> None:
        path = self.folder / SETTINGS
        with suppress(OSError, ValueError, TypeError):  # what cannot be read is deleted
            if "cluster" in dict(json.loads(path.read_bytes())):  # its parts would be worthless without settings
                raise of_another(str(self.folder), "cluster", is_its=True)
        with writing(self.folder):
            clear_results(self.folder)

    def _check(self, settings: Mapping[str, Any]) -> None:
        path = self.folder / SETTINGS
        if not path.exists():
            if (self.folder / RESULTS).exists():
                raise InputError(
                    f"expected {SETTINGS} beside {self.folder / RESULTS}; it is missing. Name another folder."
                )
            write_bytes(path, json_bytes(json.loads(json.dumps(settings)), indent=2))
            return
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise InputError(f"expected the settings of a batch in {path}; got: {exc}. Name another folder.") from exc
        compare(data, settings, str(self.folder))

    def _read(self) -> None:
        path = self.folder / RESULTS
        try:
            data = path.read_bytes() if path.exists() else b""
        except OSError as exc:
            raise InputError(f"expected results in {path}; got: {exc.strerror}. Name another folder.") from exc
        whole = data[: data.rfind(b"\n") + 1]
        for number, text in enumerate(whole.splitlines(), 1):
            try:
                line = json.loads(text)
                self.lines[line["image"]] = line
                line["sha256"]
            except (ValueError, KeyError, TypeError) as exc:
                raise InputError(
                    f"expected a result of `youtu-gguf batch` in line {number} of {path}; got {text[:60]!r}. Delete "
                    "that line, or start over with --restart."
                ) from exc
        with writing(path):
            if len(whole) < len(data):  # in place, which works on a full disk too
                os.truncate(path, len(whole))
        self._lost = _counts(self.folder / BEGUN, self.lines)

    def _rewrite(self) -> None:
        if self._results is not None:
            self._results.close()
            self._results = None
        write_bytes(self.folder / RESULTS, b"".join(map(json_bytes, self.lines.values())))


def clear_results(folder: Path) -> None:
    """Delete what batches have written to a folder, and nothing else.

    Raises:
        OSError: Something cannot be deleted.
    """
    for name in (RESULTS, SETTINGS, BEGUN):
        (folder / name).unlink(missing_ok=True)
    files = folder / FILES
    for path in list(files.glob("*/*")):
        if WRITTEN.fullmatch(path.relative_to(files).as_posix()):
            path.unlink()
    for inner in (*files.glob("*"), files):
        with suppress(OSError):  # it holds other files
            inner.rmdir()
    clear_datasets(folder)


def _counts(path: Path, lines: Mapping[str, Line]) -> dict[str, int]:
    """Return what `begun.json` says of images without a line; nothing where it is missing or half-written."""
    with suppress(OSError, ValueError, AttributeError):
        read = json.loads(path.read_bytes())
        return {name: n for name, n in read.items() if type(n) is int and n > 0 and name not in lines}
    return {}
