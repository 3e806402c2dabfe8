"""The command that makes files of what a batch on many machines has finished."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from youtu_gguf.cli.common import Quiet
from youtu_gguf.cli.progress import Displays
from youtu_gguf.cli.tally import SOME_BROKEN, print_written
from youtu_gguf.errors import InputError


def collect(
    out: Annotated[
        str, typer.Argument(metavar="OUT", help="Output folder of a batch with --cluster: a path, or an address.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Folder for the files; created if it does not exist. [default: OUT itself]",
            show_default=False,
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT,...",
            help="What to write: jsonl, and formats that the batch was asked for. [default: all of these]",
            show_default=False,
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make one folder of the results of a batch with --cluster.

    Writes what `batch` without --cluster would have written: results.jsonl with a line of JSON per image, in the order
    of the images' names; the data sets (coco, yolo, ...); and in files/ what formats such as npz have for each image.

    While the batch runs, this collects what is finished. Run it again for the rest: each file is then replaced when the
    new one is complete.

    Example: youtu-gguf collect s3://bucket/results -o results --format jsonl,coco
    """
    from youtu_gguf.batch.addresses import is_local, local_path
    from youtu_gguf.batch.collect import Collection
    from youtu_gguf.batch.store import Store
    from youtu_gguf.cluster.claim import at_work

    if output is None and not is_local(out):
        raise InputError(f"expected a folder on this machine for the files; {out} is elsewhere. Name one with -o.")
    folder = output or Path(local_path(out))
    displays = Displays(not quiet)
    with displays.shown():
        displays.report("index", 0, 0)
        store = Store(out)
        found = Collection(store)
    chosen = found.formats if formats is None else [name.strip() for name in formats.split(",")]
    is_complete = True
    with closing(found.write(folder, chosen, displays.report)) as outputs:
        while True:
            with displays.shown():
                written = next(outputs, None)
            if written is None:
                break
            is_complete = print_written(written) and is_complete
    print(f"{found.n_images} images finished; {found.n_broken} with errors")
    for driver in at_work(store):
        print(f"A batch may still be at work there ({driver}). Collect again when it has ended.", file=sys.stderr)
    if not is_complete:
        raise typer.Exit(SOME_BROKEN)
