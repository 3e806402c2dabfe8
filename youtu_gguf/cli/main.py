"""The command `youtu-gguf`, assembled from one file per group of commands."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

import youtu_gguf as yg
from youtu_gguf.cli import batch, calibrate, chat, collect, evaluate, machine, models, serve, server, weights
from youtu_gguf.cli.common import Command, command
from youtu_gguf.cli.help import GroupedCommand, GroupedCommands
from youtu_gguf.cli.tasks import task_command
from youtu_gguf.tasks import TASKS

app = typer.Typer(
    name="youtu-gguf",
    cls=GroupedCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GROUPS: dict[str, tuple[Command, ...]] = {
    "Many questions, many images": (chat.chat, batch.batch, collect.collect, serve.serve),
    "Models": (models.pull, models.list_, models.path, models.rm),
    "Model files": (weights.inspect, weights.slim, weights.quantize, weights.synth),
    "This machine": (machine.doctor, machine.plan, calibrate.calibrate),
}
for name in TASKS:
    app.command(name, cls=GroupedCommand, rich_help_panel="Tasks")(task_command(name))
for group, functions in GROUPS.items():
    for function in functions:
        app.command(function.__name__.strip("_"), cls=GroupedCommand, rich_help_panel=group)(command(function))
app.add_typer(evaluate.app, name="eval", rich_help_panel="Many questions, many images")
app.add_typer(server.app, name="server", rich_help_panel="This machine")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(yg.__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Ask a Youtu-VL GGUF model about an image: text, boxes, outlines, masks, poses, label maps, depth. Runs offline,
    through llama.cpp.

    To begin: "youtu-gguf doctor" checks this machine, "youtu-gguf pull" downloads the model (6.1 GB), "youtu-gguf
    TASK --help" shows the options of a task.

    Exit codes: 0 success, 1 errors on some images of a batch or an evaluation, 2 wrong input or a file that
    cannot be written, 3 unusable model file, 4 engine failure, 5 flawed answer (with --strict), 130 Ctrl-C.
    """


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a character that the code page lacks must not end the command
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    app()
