"""The command that finds where to click."""

from __future__ import annotations

from typing import Annotated

import typer

from youtu_gguf.cli.common import Image, TaskOptions
from youtu_gguf.cli.task import run_task


def click(
    image: Image,
    instruction: Annotated[str, typer.Argument(metavar="INSTRUCTION", help='What to do, such as "open the settings".')],
    options: TaskOptions,
) -> None:
    """Find where to click on a screenshot.

    Prints the action and its point in pixels of the picture. Nothing is clicked.
    """
    run_task(
        "click", image, options, lambda scene: scene.click(instruction, **options.of_run()), instruction=instruction
    )
