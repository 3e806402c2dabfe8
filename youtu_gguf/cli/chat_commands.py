"""The commands of a chat other than tasks; the help and the hints, which cover both."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from youtu_gguf.arguments import checked_path
from youtu_gguf.cli.lines import help_of, parse_line, table, usage
from youtu_gguf.errors import InputError
from youtu_gguf.tasks import TASKS

if TYPE_CHECKING:
    from youtu_gguf.cli.chat import Conversation

ALONE = "Each question stands alone: the model sees only the image and that line."
REMEMBERED = "The model remembers earlier questions and answers until /forget; commands stand alone."

FAMILIAR = {"exit": "quit", "bye": "quit", "q": "quit", "?": "help", "h": "help", "load": "open", "write": "save"}
"""What people type from habit, with the command that does it here."""


@dataclass(frozen=True)
class Command:
    """A command of a chat.

    Attributes:
        name: The word behind the slash.
        argument: What follows the name, as the help shows it: "" for nothing, in brackets if it is optional.
        says: What the command does, for the help, in lines of up to 54 characters.
        run: Runs it with the chat and the argument.
    """

    name: str
    argument: str
    says: str
    run: Callable[[Conversation, str], None]

    @property
    def usage(self) -> str:
        """How the command is typed."""
        return f"/{self.name} {self.argument}".rstrip()

    def __call__(self, talk: Conversation, given: str) -> None:
        """Run the command with the argument `given`.

        Raises:
            InputError: The argument is missing, or the command takes none.
        """
        if given and not self.argument:
            raise InputError(f"/{self.name} takes no argument; got {given!r}. Remove it.")
        if not given and self.argument and not self.argument.startswith("["):
            raise InputError(f"expected {self.usage}; got nothing after /{self.name}. Add it.")
        self.run(talk, given)


def run_command(talk: Conversation, line: str) -> None:
    """Run a line without its slash: a command or a task.

    Raises:
        InputError: There is no such command or task, or its arguments are wrong.
    """
    name, given = [*line.split(maxsplit=1), "", ""][:2]
    for known in COMMANDS:
        if known.name == name.lower():
            known(talk, given.strip())
            return
    if name.lower() not in TASKS:
        raise InputError(f"there is no /{name}. {_instead(line)}")
    talk.ask(parse_line(line))


def hint_about(line: str) -> str:
    """Return what to type instead of a question that reads as a task; "" for other questions.

    Raises:
        InputError: The line is only the name of a command, such as `quit`: no one asks a model that.
    """
    word = line.lower()
    meant = FAMILIAR.get(word, word)
    if meant in [known.name for known in COMMANDS]:
        raise InputError(f"expected a question or a command; got {line!r}. Type /{meant}, or /ask {line} to ask it.")
    for typed in (line, " ".join(re.split(r"[,，、]\s*", line))):
        with suppress(InputError):
            parse_line(typed)
            return f"this is asked as a question; /{typed} runs the task"
    return ""


def _instead(line: str) -> str:
    """Return what to type instead of a line whose command does not exist."""
    name = [*line.lower().split(), ""][0]
    if os.path.isfile(f"/{line}"):  # noqa: PTH113 - pathlib raises where a line is too long for a name
        return f"To change to that image, type /open /{line}"
    near = FAMILIAR.get(name) or next(iter(get_close_matches(name, [*TASKS, *(c.name for c in COMMANDS)])), None)
    return f"Did you mean /{near}?" if near else "/help lists tasks and commands; a question has no slash."


def help_text(*, remembers: bool = False) -> str:
    """Return the text of /help."""
    tasks = [(f"/{usage(name).removesuffix(' [OPTIONS]')}", task.summary) for name, task in TASKS.items()]
    return "\n".join(
        (
            "Type a question, or a task with its options, quoted as in a shell:",
            "",
            table(tasks),
            "",
            "or a command:",
            "",
            table([(known.usage, known.says) for known in COMMANDS]),
            "",
            REMEMBERED if remembers else ALONE,
            "Ctrl-C ends the current answer; pressed twice, it interrupts everything.",
            "At the prompt, Ctrl-C and Ctrl-D end the chat.",
        )
    )


def _help(talk: Conversation, name: str) -> None:
    asked = name.removeprefix("/").lower()
    known = [table([(command.usage, command.says)]) for command in COMMANDS if command.name == asked]
    if asked and asked not in TASKS and not known:
        raise InputError(f"expected a task, one of {', '.join(TASKS)}; got {name!r}. /help lists them.")
    print(help_of(asked) if asked in TASKS else "".join(known) or help_text(remembers=talk.remembers))


def _quit(talk: Conversation, _: str) -> None:
    talk.over = True


def _path(given: str) -> Path:
    """Return a path that was typed, or dropped on the terminal: in quotes, or with backslashes before spaces."""
    try:
        parts = shlex.split(given) if os.sep == "/" else [given.strip('"')]
    except ValueError:  # the name has an apostrophe
        parts = []
    return checked_path("the file", parts[0] if len(parts) == 1 else given)


COMMANDS = (
    Command("open", "IMAGE", "change to another image", lambda talk, given: talk.open(_path(given))),
    Command(
        "save",
        "FILE",
        "write the last boxes, masks or maps (.png: drawn on\n"
        "the image; .npz: arrays), the last text (.txt), or\n"
        "the last answer of any kind (.json)",
        lambda talk, given: talk.save(_path(given)),
    ),
    Command("forget", "", "with --memory: begin the conversation anew", lambda talk, _: talk.forget()),
    Command("help", "[TASK]", "show this help, or the options of a task", _help),
    Command("quit", "", "end the chat", _quit),
)
