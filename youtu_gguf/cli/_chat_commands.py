"""The commands of a conversation, in one table that the help is made from."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import youtu_gguf as yg
from youtu_gguf.errors import InputError

if TYPE_CHECKING:
    from youtu_gguf.cli.chat import Conversation

ALONE = "Each question stands alone: the model sees the image and that line only."


@dataclass(frozen=True)
class Command:
    """A line of the table.

    Attributes:
        name: What follows the slash.
        argument: What follows the name, for the help; "" where nothing may, in brackets where it may be left out.
        says: What it does, for the help, in lines of up to 54 characters.
        run: From the conversation and the argument to its effect.
    """

    name: str
    argument: str
    says: str
    run: Callable[[Conversation, str], None]

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"/{self.name} {self.argument}".rstrip()

    def __call__(self, talk: Conversation, given: str) -> None:
        """Run it with what was `given`.

        Raises:
            InputError: Something is missing, or too much.
        """
        if given and not self.argument:
            raise InputError(f"/{self.name} stands alone; got {given!r} after it. Leave that out.")
        if not given and self.argument and not self.argument.startswith("["):
            raise InputError(f"expected {self.usage}; got nothing after /{self.name}. /help has examples.")
        self.run(talk, given)


def find(name: str) -> Command:
    """Return the command called `name`, in any case.

    Raises:
        InputError: There is none.
    """
    for known in COMMANDS:
        if known.name == name.lower():
            return known
    raise InputError(f"expected a command; there is no /{name}. /help lists them; a question has no slash before it.")


def help_text() -> str:
    """Return what /help prints."""
    width = max(len(known.usage) for known in COMMANDS) + 2
    rows = [f"  {known.usage:<{width}}" + known.says.replace("\n", f"\n  {'':<{width}}") for known in COMMANDS]
    return "\n".join(
        (
            "Type a question, or a command:",
            "",
            *rows,
            "",
            ALONE,
            "Ctrl-C ends the answer being given, and pressed twice whatever is going on.",
            "At the prompt, Ctrl-C and Ctrl-D leave.",
        )
    )


def in_words(result: yg.Result) -> bool:
    """Whether `result` is words or a number, and no picture."""
    return isinstance(result, yg.Text | yg.Count)


def _task(method: Callable[..., yg.Result]) -> Callable[[Conversation, str], None]:
    """Make a command of a scene's method that takes one phrase, or nothing."""

    def run(talk: Conversation, given: str) -> None:
        arguments = (given,) if given else ()
        context = {"query": given} if given else {}
        talk.show(method.__name__, lambda scene, cancel: method(scene, *arguments, cancel=cancel), **context)

    return run


def _describe(talk: Conversation, _: str) -> None:
    talk.stream(yg.Scene.describe)


def _detect(talk: Conversation, given: str) -> None:
    classes = _names(given) if given else None
    talk.show("detect", lambda scene, cancel: scene.detect(classes, cancel=cancel), query=classes)


def _segment(talk: Conversation, given: str) -> None:
    flags = [word for word in given.split() if word.startswith("--")]
    for flag in flags:
        if flag not in ("--all", "--background"):
            raise InputError(f"/segment knows --all and --background; got {flag}.")
    classes = _names(" ".join(word for word in given.split() if word not in flags))
    talk.show(
        "segment",
        lambda scene, cancel: scene.segment(
            classes,
            present="all" if "--all" in flags else "model",
            background="--background" in flags,
            cancel=cancel,
        ),
        query=classes,
    )


def _depth(talk: Conversation, given: str) -> None:
    scale = given.lower() or "open"
    talk.show("depth", lambda scene, cancel: scene.depth(scale=scale, cancel=cancel), scale=scale)


def _help(_talk: Conversation, _: str) -> None:
    print(help_text())


def _quit(talk: Conversation, _: str) -> None:
    talk.over = True


def _names(given: str) -> list[str]:
    """Return the names in a list with commas, the Chinese ones included."""
    return [name.strip() for name in re.split("[,，、]", given) if name.strip()]


def _path(given: str) -> Path:
    """Return the path that was typed, or dropped on the terminal: quoted, or with backslashes before spaces."""
    try:
        parts = shlex.split(given) if os.sep == "/" else [given.strip('"')]
    except ValueError:  # an apostrophe in a name
        parts = []
    path = Path(parts[0] if len(parts) == 1 else given)
    try:
        return path.expanduser()
    except RuntimeError as exc:
        raise InputError(f"expected a path; nobody has the home folder that {given} begins with.") from exc


COMMANDS = (
    Command("describe", "", "describe the image", _describe),
    Command("ocr", "", "read the text in it", _task(yg.Scene.ocr)),
    Command("classify", "", "name its primary object", _task(yg.Scene.classify)),
    Command("count", "WHAT", "count things: /count dog", _task(yg.Scene.count)),
    Command("ground", "PHRASE", "find the box of a thing: /ground the left cup", _task(yg.Scene.ground)),
    Command(
        "detect",
        "[CLASS, ...]",
        "find all things of some classes: /detect car, person\nor of any class: /detect",
        _detect,
    ),
    Command("polygon", "PHRASE", "outline a thing: /polygon the left cup", _task(yg.Scene.polygon)),
    Command("refer", "PHRASE", "mask a thing to the pixel: /refer the left cup", _task(yg.Scene.refer)),
    Command("pose", "", "find all persons and their joints", _task(yg.Scene.pose)),
    Command(
        "segment",
        "CLASS, ...",
        "label every pixel with a class: /segment road, sky\n"
        "--all takes every class to be there (faster),\n"
        "--background lets pixels belong to none",
        _segment,
    ),
    Command(
        "depth",
        "[SCALE]",
        "estimate the distance of every pixel; relative, or in\nmetres on the SCALE of nyuv2, cityscapes or ddad",
        _depth,
    ),
    Command("open", "IMAGE", "go on with another image", lambda talk, given: talk.open(_path(given))),
    Command(
        "save",
        "FILE",
        "write what was found last, drawn on the image (.png)\n"
        "or as arrays (.npz); the last words (.txt);\n"
        "or the last answer of either kind (.json)",
        lambda talk, given: talk.save(_path(given)),
    ),
    Command("help", "", "show this", _help),
    Command("quit", "", "leave", _quit),
)
