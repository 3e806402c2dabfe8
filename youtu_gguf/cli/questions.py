"""Tasks as people type them, `detect car, person`: one table for chat, batch and their help."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import youtu_gguf as yg
from youtu_gguf.cli.dense import Scale, depth_zoom, focal_of
from youtu_gguf.cli.zooming import one_zoom, tiles_of
from youtu_gguf.errors import InputError


class Reading(NamedTuple):
    """What was typed, understood: the question, and what its JSON says besides."""

    question: yg.Question
    context: dict[str, Any]


@dataclass(frozen=True)
class Form:
    """How a task is typed.

    Attributes:
        task: Its name, which comes first.
        argument: What follows it, for the help; "" where nothing may, in brackets where it may be left out.
        says: What it does, for the help, in lines of up to 54 characters; "{}" stands for what comes before the name.
        read: From the argument to its meaning.
    """

    task: str
    argument: str
    says: str
    read: Callable[[str], Reading]


def require_argument(typed: str, argument: str, given: str) -> None:
    """Check that something follows a name exactly where something should.

    Args:
        typed: The name as it is typed, `/detect` or `detect`.
        argument: As in `Form`.
        given: What follows it.

    Raises:
        InputError: Something is missing, or too much.
    """
    if given and not argument:
        raise InputError(f"{typed} stands alone; got {given!r} after it. Leave that out.")
    if not given and argument and not argument.startswith("["):
        raise InputError(f"expected {typed} {argument}; got nothing after {typed}.")


def parse(words: str) -> Reading:
    """Understand a task as it is typed, such as `detect car, person`.

    Raises:
        InputError: There is no such task, its argument is missing, or it takes none.
    """
    name, given = [*words.split(maxsplit=1), "", ""][:2]
    form = next((form for form in FORMS if form.task == name.lower()), None)
    if form is None:
        raise InputError(f"expected a task, one of {', '.join(f.task for f in FORMS)}; got {words!r}.")
    require_argument(form.task, form.argument, given.strip())
    return form.read(given.strip())


def table(rows: list[tuple[str, str]]) -> str:
    """Lay out what is typed beside what it does."""
    width = max(len(typed) for typed, _ in rows) + 2
    return "\n".join(f"  {typed:<{width}}" + says.replace("\n", f"\n  {'':<{width}}") for typed, says in rows)


def _plain(task: str, key: str = "query") -> Callable[[str], Reading]:
    """Read one phrase, or nothing."""

    def read(given: str) -> Reading:
        return Reading(yg.Question(task, (given,) if given else ()), {key: given} if given else {})

    return read


def _of_classes(task: str) -> Callable[[str], Reading]:
    """Read class names, or nothing."""

    def read(given: str) -> Reading:
        flag = next((word for word in given.split() if word.startswith("--")), None)
        if flag is not None:
            raise InputError(f"{task} takes class names alone here; got {flag}. Leave it out.")
        classes = _names(given) if given else None
        return Reading(yg.Question(task, (classes,)), {"query": classes})

    return read


def _count(given: str) -> Reading:
    words = given.split()
    flags = [word for word in words if word.startswith("--")]
    for flag in flags:
        if flag != "--detect":
            raise InputError(f"count knows --detect; got {flag}.")
    what = " ".join(word for word in words if word not in flags) if flags else given
    if not what:
        raise InputError("expected count --detect WHAT; got nothing to count.")
    by = "detection" if flags else "answer"
    return Reading(yg.Question("count", (what,), {"by": by}), {"query": what, "by": by})


def _segment(given: str) -> Reading:
    flags, words = _flags("segment", given, ("--all", "--background", "--zoom=", "--tiles="))
    options = {"present": "all" if "--all" in flags else "model", "background": "--background" in flags}
    classes = _names(words) if words or "--all" in flags else None
    return Reading(
        yg.Question("segment", (classes,), options | _read(flags, {"zoom": one_zoom, "tiles": tiles_of})),
        {"query": classes},
    )


def _depth(given: str) -> Reading:
    flags, words = _flags("depth", given, ("--zoom=", "--tiles=", "--focal-px="))
    scale = words.lower() or "open"
    if scale not in get_args(Scale):
        raise InputError(f"expected a depth scale among {', '.join(get_args(Scale))}; got {scale!r}.")
    options = {"scale": scale} | _read(flags, {"zoom": depth_zoom, "tiles": tiles_of, "focal-px": focal_of})
    return Reading(yg.Question("depth", (), options), {"scale": scale})


def _flags(task: str, given: str, known: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """Split what follows a name into flags, by name with what stands behind "=", and the other words.

    Raises:
        InputError: A flag that the task does not know.
    """
    flags: dict[str, str] = {}
    for word in given.split():
        if word.startswith("--"):
            name, sign, value = word.partition("=")
            if name + sign not in known:
                raise InputError(f"{task} knows {', '.join(known)}; got {word}.")
            flags[name] = value
    return flags, " ".join(word for word in given.split() if not word.startswith("--"))


def _read(flags: dict[str, str], known: dict[str, Callable[[str], Any]]) -> dict[str, Any]:
    """Return the values of the flags that were given, each read by what is `known` of it, as keywords of a task."""
    return {name.replace("-", "_"): of(flags[f"--{name}"]) for name, of in known.items() if f"--{name}" in flags}


def _names(given: str) -> list[str]:
    """Return the names in a list with commas, the Chinese ones included.

    Raises:
        InputError: There is none.
    """
    names = [name.strip() for name in re.split("[,，、]", given) if name.strip()]
    if not names:
        raise InputError("expected at least one class name; got none.")
    return names


FORMS = (
    Form("ask", "QUESTION", "ask anything: {}ask What is this?", _plain("ask", "question")),
    Form("describe", "", "describe the image", _plain("describe")),
    Form("reason", "QUESTION", "answer step by step: {}reason Is it safe to cross?", _plain("reason", "question")),
    Form("ocr", "", "read the text in it", _plain("ocr")),
    Form("classify", "", "name its primary object", _plain("classify")),
    Form(
        "count",
        "WHAT",
        "count things: {}count dog\n--detect counts the boxes that detecting finds",
        _count,
    ),
    Form("ground", "PHRASE", "find the box of a thing: {}ground the left cup", _plain("ground")),
    Form(
        "detect",
        "[CLASS, ...]",
        "find all things of some classes: {}detect car, person\nor of any class: {}detect",
        _of_classes("detect"),
    ),
    Form("polygon", "PHRASE", "outline a thing: {}polygon the left cup", _plain("polygon")),
    Form("refer", "PHRASE", "mask a thing to the pixel: {}refer the left cup", _plain("refer")),
    Form(
        "instances",
        "[CLASS, ...]",
        "mask every thing of some classes on its own:\n{}instances car, person; or of any class: {}instances",
        _of_classes("instances"),
    ),
    Form("pose", "", "find all persons and their joints", _plain("pose")),
    Form(
        "segment",
        "[CLASS, ...]",
        "label every pixel with a class: {}segment road, sky\n"
        "or one of all that are there: {}segment\n"
        "--all takes every class to be there (faster),\n"
        "--background lets pixels belong to none,\n"
        "--zoom=2 and --tiles=2x2 look closer",
        _segment,
    ),
    Form(
        "depth",
        "[SCALE]",
        "estimate the distance of every pixel; relative, or in\nmetres on the SCALE of nyuv2, cityscapes or ddad;\n"
        "--zoom=2 and --tiles=2x2 look closer,\n"
        "--focal-px=1400 makes metres, --zoom=focal uses it",
        _depth,
    ),
    Form("click", "INSTRUCTION", "find where to click: {}click open the settings", _plain("click", "instruction")),
)
