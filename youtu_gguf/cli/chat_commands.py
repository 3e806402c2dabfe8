"""The commands of a conversation that are no tasks, and the help, which lists both."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from youtu_gguf.cli.lines import help_of, parse_line, table, usage
from youtu_gguf.errors import InputError
from youtu_gguf.tasks import TASKS

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
            raise InputError(f"expected {self.usage}; got nothing after /{self.name}.")
        self.run(talk, given)


def run_command(talk: Conversation, line: str) -> None:
    """Run a line without its slash: a command of the table, or a task.

    Raises:
        InputError: There is no such command, or it is typed wrongly.
    """
    name, given = [*line.split(maxsplit=1), "", ""][:2]
    for known in COMMANDS:
        if known.name == name.lower():
            known(talk, given.strip())
            return
    if name.lower() not in TASKS:
        raise InputError(f"expected a command; there is no /{name}. /help lists them; a question has no slash.")
    talk.ask(parse_line(line))


def help_text() -> str:
    """Return what /help prints."""
    tasks = [(f"/{usage(name).removesuffix(' [OPTIONS]')}", task.summary) for name, task in TASKS.items()]
    return "\n".join(
        (
            "Type a question, or a task with its options, quotes as in a shell:",
            "",
            table(tasks),
            "",
            "or a command:",
            "",
            table([(known.usage, known.says) for known in COMMANDS]),
            "",
            ALONE,
            "Ctrl-C ends the answer under way; pressed twice, it ends everything under way.",
            "At the prompt, Ctrl-C and Ctrl-D leave.",
        )
    )


def _help(_talk: Conversation, name: str) -> None:
    task = name.strip().removeprefix("/").lower()
    if task and task not in TASKS:
        raise InputError(f"expected a task, one of {', '.join(TASKS)}; got {name!r}.")
    print(help_of(task) if task else help_text())


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
        raise InputError(f"expected a path; no user has the home folder that {given} begins with.") from exc


COMMANDS = (
    Command("open", "IMAGE", "change to another image", lambda talk, given: talk.open(_path(given))),
    Command(
        "save",
        "FILE",
        "write the last value, drawn on the image (.png) or\n"
        "as arrays (.npz); the last words (.txt);\n"
        "or the last answer of either kind (.json)",
        lambda talk, given: talk.save(_path(given)),
    ),
    Command("help", "[TASK]", "show this, or the options of a task", _help),
    Command("quit", "", "leave", _quit),
)
