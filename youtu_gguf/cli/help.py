"""How commands speak: help with options and commands in groups, usage without type names, plain messages."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

ANSWER = "Answer options"
"""Group of the options about how the model answers."""
MODEL = "Model options"
"""Group of the options about which model answers, and where it runs."""
CLUSTER = "Cluster options"
"""Group of the options about the machines that work together."""


class GroupedCommand(TyperCommand):
    """A command whose options stand in groups: its own, those about a cluster, the answer and the model."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command line; the message of an invalid value says what was expected."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as exc:
            exc.message = _plain(exc)
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line, with required arguments bare, as `IMAGE`."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then each group of options; `rich_help_panel` names the group of an option."""
        groups: dict[str, list[tuple[str, str]]] = {
            title: [] for title in ("Arguments", "Options", CLUSTER, ANSWER, MODEL)
        }
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            typed, says = record
            if param.param_type_name == "argument":
                name = str(param.metavar or param.name)
                groups["Arguments"].append((name, says.removesuffix("[required]").rstrip()))
            else:
                groups[getattr(param, "rich_help_panel", None) or "Options"].append((typed, says))
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class GroupedCommands(TyperGroup):
    """Commands in the groups that their `rich_help_panel` names, in order of appearance."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group of commands."""
        known = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        width = max(len(name) for name, _ in known)
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, command in known:
            assert command is not None
            title = str(getattr(command, "rich_help_panel", None) or "Commands")
            row = (name.ljust(width), command.get_short_help_str(formatter.width - width - 6))
            groups.setdefault(title, []).append(row)
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl(rows)


def _plain(exc: typer.BadParameter) -> str:
    """Return what was expected and what was typed, for texts that are not numbers; other messages unchanged."""
    errors: list[Any] = getattr(exc.__cause__, "errors", list)()  # typer converts values with pydantic
    expected = {"int_parsing": "a whole number", "float_parsing": "a number"}.get(errors[0]["type"]) if errors else None
    if expected is None:
        return exc.message.removeprefix("Value error, ")
    return f"expected {expected}; got {errors[0]['input']!r}."
