"""The commands of a conversation, in one table that the help is made from."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import youtu_gguf as yg
from youtu_gguf.cli.questions import FORMS, Form, require_argument, table
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
        require_argument(f"/{self.name}", self.argument, given)
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
    return "\n".join(
        (
            "Type a question, or a command:",
            "",
            table([(known.usage, known.says) for known in COMMANDS]),
            "",
            ALONE,
            "Ctrl-C ends the answer being given, and pressed twice whatever is going on.",
            "At the prompt, Ctrl-C and Ctrl-D leave.",
        )
    )


def _task(form: Form) -> Command:
    """Make a command of a task."""

    def run(talk: Conversation, given: str) -> None:
        asked, context = form.read(given)
        method = getattr(yg.Scene, asked.task)
        talk.show(
            asked.task,
            lambda scene, cancel: method(scene, *asked.arguments, **asked.options, cancel=cancel),
            **context,
        )

    return Command(form.task, form.argument, form.says.replace("{}", "/"), run)


def _describe(talk: Conversation, _: str) -> None:
    talk.stream(yg.Scene.describe)


def _reason(talk: Conversation, question: str) -> None:
    talk.stream(yg.Scene.reason, question, question=question)


def _help(_talk: Conversation, _: str) -> None:
    print(help_text())


def _quit(talk: Conversation, _: str) -> None:
    talk.over = True


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
    Command("reason", "QUESTION", "answer step by step", _reason),
    *(_task(form) for form in FORMS if form.task not in ("ask", "describe", "reason")),
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
