"""The command `youtu-gguf`, put together from one file per group of commands."""

from __future__ import annotations

import io
import sys
from typing import Annotated

import typer

import youtu_gguf as yg
from youtu_gguf.cli import batch, calibrate, chat, machine, models, server, weights
from youtu_gguf.cli.common import command
from youtu_gguf.cli.tasks import task_command
from youtu_gguf.tasks import TASKS

app = typer.Typer(
    name="youtu-gguf",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

FILES = (models.pull, models.list_, models.path, models.rm)
LOOKS = (machine.plan, machine.doctor, calibrate.calibrate)
CHANGES = (weights.inspect, weights.slim, weights.quantize, weights.synth)
for name in TASKS:
    app.command(name)(task_command(name))
for function in (batch.batch, chat.chat, *FILES, *LOOKS, *CHANGES):
    app.command(function.__name__.strip("_"))(command(function))
app.add_typer(server.app, name="server")


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
    """Ask a Youtu-VL GGUF about an image: text, boxes, outlines, masks, poses, label maps, depth. Runs offline,
    through llama.cpp.

    Exit codes: 0 done, 1 some images of a batch gave errors, 2 your mistake, 3 a model file, 4 the engine, 5 the answer
    is unusable (with --strict).
    """


def main() -> None:
    """Run the command line."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a code page that lacks a character must not end the command
        encoding = None if sys.stdout.isatty() else "utf-8"
        sys.stdout.reconfigure(encoding=encoding, errors="backslashreplace")
    app()
