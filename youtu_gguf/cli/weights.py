"""The commands about GGUF files: what they hold, smaller versions, and random ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

import youtu_gguf as yg
from youtu_gguf.cli.common import AsJson, Quiet
from youtu_gguf.cli.progress import shown
from youtu_gguf.errors import ModelFileError
from youtu_gguf.types import FileForm

Source = Annotated[Path, typer.Argument(metavar="SRC", help="GGUF file to read.")]
Destination = Annotated[Path, typer.Argument(metavar="DST", help="GGUF file to write; overwritten if it exists.")]


def inspect(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="GGUF file.")],
    partner: Annotated[
        Path | None, typer.Argument(metavar="FILE2", help="Other file of the pair, to check that the two fit together.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what a GGUF file holds.

    Shows sizes, encodings and tokens, and whether this package can use the file, alone or with the other one. Reads
    only the header. The exit code is 3 if the file cannot be used.
    """
    found = yg.weights.inspect(file, partner)
    if as_json:
        print(json.dumps(asdict(found), indent=2, default=str, ensure_ascii=False))
    else:
        for line in _lines(found):
            print(line)
    if found.problem:
        raise ModelFileError(found.problem)


def slim(source: Source, destination: Destination, quiet: Quiet = False) -> None:
    """Write a language model without its codebook.

    At full size this saves 0.4 GB; the answers stay the same. The codebook's entries are only needed for training. If
    it is unclear which entries these are, nothing is written.
    """
    with shown(not quiet) as display:
        done = yg.weights.slim(source, destination, progress=display.report)
    print(f"{done.path}: {done.dropped.count:,} entries dropped, from {done.dropped.first} to {done.dropped.stop - 1}")
    print(f"entries: {done.entries}")
    print(_change(done.bytes_before, done.bytes_after))


def quantize(
    source: Source,
    destination: Destination,
    encoding: Annotated[str, typer.Argument(metavar="TYPE", help="Encoding: Q8_0, Q6_K, Q5_K_M, Q4_K_M and others.")],
    threads: Annotated[int | None, typer.Option(metavar="N", help="CPU threads. [default: all cores]")] = None,
    quiet: Quiet = False,
) -> None:
    """Write a language model or projector in a smaller encoding.

    See docs/quantisation.md for the effect on the answers.
    """
    with shown(not quiet) as display:
        done = yg.weights.quantize(source, destination, encoding, threads=threads, progress=display.report)
    print(done.path)
    print(_change(done.bytes_before, done.bytes_after))


def synth(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to; created if it does not exist.")],
    size: Annotated[
        Literal["tiny", "full"],
        typer.Option(metavar="tiny|full", help="tiny: 1 MB; full: the published shapes, 6.1 GB."),
    ] = "tiny",
    seed: Annotated[int, typer.Option(metavar="N", help="Equal seeds give equal files.")] = 0,
    quant: Annotated[
        str, typer.Option(metavar="TYPE", help="Encoding of the language model: F32, F16, BF16 or Q8_0.")
    ] = "Q8_0",
    variant: Annotated[
        FileForm,
        typer.Option(
            metavar="FORM", help=f"Tokens and metadata as a converter may write them: {', '.join(get_args(FileForm))}."
        ),
    ] = "named",
    quiet: Quiet = False,
) -> None:
    """Write a model with random weights.

    It has the real architecture, and meaningless answers. Use it to measure a machine before the 6 GB download, and in
    tests.
    """
    with shown(not quiet) as display:
        paths = yg.weights.write_synthetic_pair(
            folder, size, seed=seed, quant=quant, variant=variant, progress=display.report
        )
    for path in paths:
        print(path)


def _change(before: int, after: int) -> str:
    return f"{before:,} -> {after:,} bytes ({after / before - 1:+.1%})"


def _lines(found: yg.weights.Inspection) -> Iterator[str]:
    yield f"{found.path}: {found.kind}, architecture {found.architecture or 'unknown'}"
    yield f"{'name':14}{found.name or '-'}"
    yield f"{'size':14}{found.n_bytes:,} bytes, mostly {found.encoding or '-'}"
    if found.facts is not None:
        shapes = ", ".join(f"{name} {value}" for name, value in asdict(found.facts).items())
        yield f"{'shapes':14}{shapes}"
    for group in found.groups:
        encodings = ", ".join(f"{count} {name}" for name, count in group.encodings.items())
        yield f"  {group.name:12}{group.n_bytes:>15,} bytes in {group.n_tensors} tensors: {encodings}"
    if found.tokens is not None:
        yield from _tokens(found)
    if found.kind == "language model":
        yield f"{'template':14}{'present' if found.chat_template else 'none (this package has its own)'}"
    with_partner = f" with {found.partner}" if found.partner else ""
    yield f"{'usable':14}{'no' if found.problem else 'yes'}{with_partner}"


def _tokens(found: yg.weights.Inspection) -> Iterator[str]:
    tokens = found.tokens
    assert tokens is not None
    yield f"{'tokens':14}{tokens.n_tokens:,}"
    for name, run, finding in (
        ("codebook", tokens.codebook, tokens.codebook_finding),
        ("coordinates", tokens.coordinates, ""),
    ):
        yield f"  {name:12}{f'{run.count:,} from {run.first} to {run.stop - 1}' if run else 'none found'}"
        if finding:
            yield f"  {'':12}{finding}"
    if found.n_dropped:
        yield f"  {'dropped':12}{found.n_dropped:,} codebook entries, by slim"
    yield f"  {'depth bins':12}{tokens.n_bins:,} of 1,000"
    for lack in tokens.lacking:
        yield f"  {'lacks':12}{lack}"
    missing = [tag for tag, token in tokens.tags.items() if token is None]
    yield f"  {'tags':12}{len(tokens.tags) - len(missing)} of {len(tokens.tags)} are tokens of their own"
    if missing:
        yield f"  {'':12}not: {' '.join(missing)}"
