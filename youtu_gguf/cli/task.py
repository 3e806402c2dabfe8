"""One run of one task: load, open, ask, and deliver the result where it was wanted."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import youtu_gguf as yg
from youtu_gguf.cli.common import TaskOptions
from youtu_gguf.cli.progress import Display, shown
from youtu_gguf.cli.report import lines, warnings
from youtu_gguf.errors import InputError
from youtu_gguf.output import WRITERS, Source, to_json, write_bytes
from youtu_gguf.types import in_words

IN_WORDS = ("describe", "ask", "reason", "ocr", "classify", "count")
"""Tasks whose result is words or a number: no picture, no arrays, but for a count of boxes."""


@contextmanager
def opened(task: str, image: str, options: TaskOptions, *, drawn: bool = False) -> Iterator[tuple[yg.Scene, Display]]:
    """Load the model and open the image, with progress on stderr; close both at the end. `drawn` as for `run_task`."""
    _check_files(image, options, task, drawn=drawn or task not in IN_WORDS)
    with (
        shown(not options.quiet) as display,
        options.load(display.report) as model,
    ):
        yield model.open(image), display


def run_task(
    task: str,
    image: str,
    options: TaskOptions,
    ask: Callable[[yg.Scene], yg.Result],
    *,
    drawn: bool = False,
    **context: Any,
) -> None:
    """Ask one thing of one image and deliver the answer.

    Args:
        task: Its name, for the JSON.
        image: Path of the picture.
        options: What the user chose.
        ask: From the opened scene to the result.
        drawn: Whether the result of a task in words has a picture and arrays this time.
        context: Further keys of the JSON, such as the query.
    """
    with opened(task, image, options, drawn=drawn) as (scene, _):
        result = ask(scene)
    if options.output:
        _write_output(options.output, scene, result)
    if options.npz:
        WRITERS["npz"](options.npz, result)
    if options.json:
        print(json.dumps(to_json(result, task=task, image=name_in_json(image), **context), ensure_ascii=False))
    else:
        for line in lines(result):
            print(line)
    if not options.quiet:
        for warning in warnings(result, rest="--json lists them all"):
            print(warning, file=sys.stderr)


def name_in_json(image: str) -> str:
    """Return a picture's path as JSON may hold it: a file's name need not be UTF-8, but JSON must be."""
    return os.fsencode(image).decode("utf-8", "replace")


def check_image(image: str) -> None:
    """Refuse a picture that is not there before minutes are spent on the model.

    Raises:
        InputError: There is no such file.
    """
    if not Path(image).exists():
        raise InputError(f"expected an image file; {image} does not exist. Check the path.")


def _check_files(image: str, options: TaskOptions, task: str, *, drawn: bool) -> None:
    """Refuse paths that cannot work before minutes are spent on the model and the answer."""
    check_image(image)
    suffix = ".png" if drawn else ".txt"
    if options.output and options.output.suffix.lower() != suffix:
        raise InputError(f"{task} writes a {suffix} file; got --output {options.output}. Use that suffix, or --json.")
    if options.npz and suffix == ".txt":
        raise InputError(f"{task} gives text; an .npz file holds arrays. Use --output answer.txt, or --json.")
    if options.npz and options.npz.suffix.lower() != ".npz":
        raise InputError(f"an .npz file holds arrays; got --npz {options.npz}. Use that suffix.")
    if options.output and options.output.exists() and options.output.samefile(image):
        raise InputError(f"the result would be written over the picture itself, {image}. Name another file.")
    for path in (options.output, options.npz):
        if path and not path.parent.is_dir():
            raise InputError(f"expected a folder to write {path} in; {path.parent} does not exist. Make it first.")


def _write_output(path: Path, scene: yg.Scene, result: yg.Result) -> None:
    if in_words(result):
        write_bytes(path, f"{result}\n".encode())
    else:
        WRITERS["png"](path, result, Source(scene.rgb))
