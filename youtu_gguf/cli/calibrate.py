"""The command that measures, on the user's machine, facts about the weights that have not been published."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

import youtu_gguf as yg
from youtu_gguf.cli.common import AsJson, Device, GpuLayers, Mmproj, ModelName, Quiet, Threads, size_of
from youtu_gguf.cli.progress import Display, shown
from youtu_gguf.errors import InputError
from youtu_gguf.types import ProgressFn

SMALL: dict[str, Any] = {"n_ctx": 1024, "image_max_tokens": 128}
"""Settings of the model: a test image takes 80 image tokens, so much less memory is needed than by default."""

QUESTIONS = {
    "position_shift": "Which position's state tells what an image token shows?",
    "leading_space": "Are class names tokenised with a space before them?",
    "bin_base": "Which depth bin does <custom_1> stand for?",
    "normalise": "Where do class scores become probabilities: at image tokens, or at pixels?",
    "final_period": "Does a period follow the last class in the question which are there?",
    "refine": "Which refinement brings label maps closest to the true outlines?",
}


def calibrate(
    model: ModelName = None,
    mmproj: Mmproj = None,
    threads: Threads = None,
    n_gpu_layers: GpuLayers = None,
    device: Device = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Measure and report, but store nothing.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show what is stored for these files.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Only delete what is stored for these files.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure facts about the weights that are not published.

    Shows the model small test images of known layout, and stores what they prove for all later runs with the same
    files. What they do not prove keeps its default. Takes a few minutes for the full-size model on a CPU. See
    docs/calibration.md.
    """
    if dry_run + show + forget > 1:
        raise InputError("expected at most one of --dry-run, --show and --forget; got several. Remove the others.")
    if show:
        _show(yg.calibration.stored(model, mmproj), as_json=as_json)
    elif forget:
        gone = yg.calibration.forget(model, mmproj)
        if as_json:
            print(json.dumps({"deleted": None if gone is None else str(gone)}))
        else:
            print("nothing is stored about these files" if gone is None else f"deleted {gone}")
    else:
        _measure(
            model, mmproj, _given(threads=threads, n_gpu_layers=n_gpu_layers, device=device), dry_run, as_json, quiet
        )


def _measure(
    model: str | None, mmproj: str | None, settings: dict[str, Any], dry_run: bool, as_json: bool, quiet: bool
) -> None:
    with shown(not quiet) as display:
        loading = _only(display, "pull", "load")
        with yg.load(model, mmproj, progress=loading, calibration="default", **SMALL, **settings) as loaded:
            report = yg.calibration.run(loaded, display.report)
    path = None if dry_run else yg.calibration.store(report)
    if as_json:
        form = {"calibration": asdict(report.calibration), **report.form(), "stored": path and str(path)}
        print(json.dumps(form, indent=2, ensure_ascii=False))
        return
    for line in _lines(report):
        print(line)
    print(f"\nstored in {path}" if path else "\nnothing was stored (--dry-run)")
    if path and report.n_decided:
        print("All later runs with these files use it. --forget deletes it.")


def _only(display: Display, *stages: str) -> ProgressFn:
    """Return a function that shows these stages only: the others are many and short."""

    def report(stage: str, done: int, total: int) -> None:
        if stage in stages:
            display.report(stage, done, total)

    return report


def _given(**settings: int | str | None) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _lines(report: yg.calibration.CalibrationReport) -> Iterator[str]:
    yield "  ".join(f"{name} ({size_of(n_bytes)})" for name, n_bytes in report.files)
    for finding in report.findings:
        yield ""
        yield QUESTIONS[finding.question]
        yield f"  {_capital(finding.figure)}:"
        yield from _table(finding)
        yield f"  {_capital(finding.reason)}."
    yield ""
    for finding in report.findings:
        default = getattr(yg.Calibration(), finding.question)
        yield f"{finding.question:16}{_concluded(finding.answer, default)}"
    if not report.n_decided:
        yield "Nothing could be concluded about this model: all defaults stay."
    yield f"Took {report.seconds:.0f} s."
    for note in report.notes:
        yield f"note: {note}"


def _table(finding: yg.calibration.Finding) -> Iterator[str]:
    yield f"    {'':16}{''.join(f'{word:>16}' for word in finding.words)}"
    for evidence in finding.evidence:
        remark = "" if evidence.understood else "   does not count"
        yield f"    {evidence.image:16}{''.join(f'{figure:16.2f}' for figure in evidence.figures)}{remark}"
    if finding.test.means:
        yield f"    {'mean of those':16}{''.join(f'{mean:16.2f}' for mean in finding.test.means)}   that count"


def _concluded(answer: object, default: object) -> str:
    if answer is None:
        return f"not decided; stays at the default, {default}"
    return f"{answer}: found out; {'as assumed' if answer == default else f'the default is {default}'}"


def _show(stored: yg.calibration.StoredCalibration | None, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(None if stored is None else asdict(stored), indent=2, default=str, ensure_ascii=False))
        return
    if stored is None:
        print("nothing is stored about these files")
        return
    print(f"{stored.path}\nmeasured {stored.date} by youtu_gguf {stored.version}")
    for name, value in asdict(stored.calibration).items():
        print(f"{name:16}{value}: {'found out' if name in stored.decided else 'assumed'}")
    print("--json shows the evidence")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
