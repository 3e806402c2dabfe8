"""Tasks as a line, `detect car "traffic light" --zoom 2`: the command of that name with its options, minus IMAGE.

Chats and batches read such lines. They have the parameters of the command line, and typer parses both.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer
from typer.exceptions import TyperException

import youtu_gguf as yg
from youtu_gguf.cli.common import TaskOptions, option_parameters
from youtu_gguf.cli.help import GroupedCommand
from youtu_gguf.cli.tasks import parameters
from youtu_gguf.errors import InputError
from youtu_gguf.scene.options import NAMES
from youtu_gguf.tasks import TASKS


@dataclass(frozen=True)
class Line:
    """A parsed line.

    Attributes:
        task: Name of the task.
        arguments: Arguments of the task, by name.
        options: Options of this run, by name.
    """

    task: str
    arguments: dict[str, object]
    options: dict[str, object]

    @property
    def question(self) -> yg.Question:
        """The line as a question to a scene."""
        return yg.Question(self.task, (), {**self.arguments, **self.options})


def parse_line(line: str) -> Line:
    """Parse a line such as `segment road sky --present all`, with quotes as in a shell.

    Raises:
        InputError: The task or an option does not exist, or a value is invalid.
    """
    name, *words = _split(line) or [""]
    name = name.lower()
    if name not in TASKS:
        raise InputError(f"expected a task, one of {', '.join(TASKS)}; got {name or 'nothing'!r}.")
    task = TASKS[name]
    try:
        typed: dict[str, Any] = _commands()[name].main(words, prog_name=name, standalone_mode=False)
        arguments = task.read(typed)
    except TyperException as exc:
        message = exc.format_message()
        raise InputError(f"{name}: {message[:1].lower()}{message[1:].rstrip('.')}. Usage: {usage(name)}") from exc
    except InputError as exc:
        raise InputError(f"{name}: {exc}") from exc
    given = {o: typed[o] for o in NAMES if typed.get(o) is not None and typed[o] is not False}
    return Line(name, arguments, given)


def usage(name: str) -> str:
    """Return a short form of how the line of a task is typed."""
    words = TASKS[name].words
    if words is None:
        return f"{name} [OPTIONS]"
    several = f"{words.declared.metavar}..."
    return f"{name} {several if words.is_required else f'[{several}]'} [OPTIONS]"


def help_of(name: str) -> str:
    """Return the help of a task in a chat: its words and options."""
    known = _commands()[name]
    described: str = known.get_help(known.make_context(f"/{name}", [], resilient_parsing=True))
    return described


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return two columns: what is typed, and what it does."""
    width = max(len(typed) for typed, _ in rows) + 2
    return "\n".join(f"  {typed:<{width}}" + says.replace("\n", f"\n  {'':<{width}}") for typed, says in rows)


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as exc:
        raise InputError(
            f"a quote or backslash in {line.strip()!r} has no partner; quotes work as in a shell. Put double quotes "
            'around words with an apostrophe: ask "What\'s this?"'
        ) from exc


@cache
def _commands() -> dict[str, Any]:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    run_options = [p for p in option_parameters(TaskOptions) if p.name in NAMES]
    for name, task in TASKS.items():
        taken = [*parameters(task), *run_options]

        def typed(**given: Any) -> dict[str, Any]:
            return given

        typed.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]
        typed.__annotations__ = {p.name: p.annotation for p in taken}
        typed.__doc__ = task.help
        app.command(name, cls=GroupedCommand, add_help_option=False)(typed)
    group: Any = typer.main.get_command(app)
    commands: dict[str, Any] = group.commands
    return commands
