"""The command that writes random model pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

import youtu_gguf as yg
from youtu_gguf.cli.common import Quiet
from youtu_gguf.cli.progress import shown


def synth(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; made if it is not there.")],
    size: Annotated[
        Literal["tiny", "full"], typer.Option(help="tiny: 1 MB; full: the published shapes, 6.1 GB.")
    ] = "tiny",
    seed: Annotated[int, typer.Option(help="Equal seeds give equal files.")] = 0,
    quant: Annotated[str, typer.Option(help="Encoding of the language model: F32, F16, BF16 or Q8_0.")] = "Q8_0",
    quiet: Quiet = False,
) -> None:
    """Write a model pair of the real architecture with random weights.

    Its answers mean nothing: it is for measuring a machine before a 6 GB download, and for tests.
    """
    with shown(not quiet) as display:
        paths = yg.weights.write_synthetic_pair(folder, size, seed=seed, quant=quant, progress=display.report)
    for path in paths:
        print(path)
