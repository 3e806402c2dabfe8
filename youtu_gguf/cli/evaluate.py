"""The commands that measure how good a model's answers are, on data sets that the user has."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from youtu_gguf.cli.batch import bar, ending_in_order
from youtu_gguf.cli.common import AsJson, ModelOptions, command
from youtu_gguf.cli.help import GroupedCommand, GroupedCommands
from youtu_gguf.cli.progress import shown

if TYPE_CHECKING:
    from youtu_gguf.evaluate import Benchmark, Exam, Scores
    from youtu_gguf.evaluate.base import Preset

SOME_FAILED = 1
"""Exit code if some samples have no answer."""

DataFolder = Annotated[Path, typer.Argument(metavar="DATA", help='Folder of the data set (see "eval list NAME").')]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="Part of the data set. [default: the first listed]")]
PresetName = Annotated[
    str,
    typer.Option(
        metavar="report|fast",
        help="Settings to start from: those of the authors' report, or cheaper ones. [default: report]",
        show_default=False,
    ),
]
Changed = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting; may be given several times.")
]
Limit = Annotated[
    int | None,
    typer.Option(metavar="N", help="Take N samples; a larger N takes the same ones and more. [default: all]"),
]
Baselines = Annotated[
    bool,
    typer.Option(help="Also measure answers that do not depend on the image. [default: yes]", show_default=False),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown.")]
WhichSamples = typer.Option(metavar="N", help="Which samples a limit takes. [default: 0]", show_default=False)


@dataclass(frozen=True)
class EvaluateOptions(ModelOptions):
    """The options of a command that evaluates a model; `--seed` chooses samples."""

    seed: Annotated[int, WhichSamples] = 0

    def settings(self) -> dict[str, Any]:
        """Return the settings of the model."""
        return {name: value for name, value in super().settings().items() if name != "seed"}


class Commands(GroupedCommands):
    """The commands of the group, and one for each benchmark, which is made when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands."""
        from youtu_gguf.evaluate import BENCHMARKS

        return [*super().list_commands(ctx), *(name for name in BENCHMARKS if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name."""
        from youtu_gguf.evaluate import BENCHMARKS

        if cmd_name not in self.commands and cmd_name in BENCHMARKS:
            made = typer.Typer(add_completion=False, rich_markup_mode=None)
            made.callback()(_nothing)  # without it, typer makes no group of a single command
            function = command(_command_of(BENCHMARKS[cmd_name]))
            made.command(cmd_name, cls=GroupedCommand, rich_help_panel="Benchmarks")(function)
            self.commands.update(cast(Any, typer.main.get_command(made)).commands)
        return super().get_command(ctx, cmd_name)


def _nothing() -> None: ...


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="""Measure answers on a data set that you have.

    The figures stand beside those of the model's authors. Data sets are not downloaded: "youtu-gguf eval list NAME"
    says which files a benchmark expects, and what its figures depend on.

    Example: youtu-gguf eval countbench DATA -o results --limit 200""",
)


def _command_of(benchmark: Benchmark) -> Any:
    """Return the function of a benchmark's command."""
    from youtu_gguf.evaluate.describe import settings_in_short

    def evaluate(
        data: DataFolder,
        output: Annotated[
            Path,
            typer.Option("--output", "-o", metavar="FOLDER", help="Folder for the answers; created if missing."),
        ],
        options: EvaluateOptions,
        *,
        split: Split = None,
        preset: PresetName = "report",
        changed: Changed = None,
        limit: Limit = None,
        retry: Annotated[bool, typer.Option("--retry", help="Ask images with errors again.")] = False,
        restart: Annotated[bool, typer.Option("--restart", help="Delete earlier answers and start over.")] = False,
        baselines: Baselines = True,
        as_json: AsJson = False,
    ) -> None:
        from youtu_gguf.batch import Worker
        from youtu_gguf.evaluate import run
        from youtu_gguf.evaluate.lines import read_run

        exam = _prepare(benchmark, data, split, preset, changed, limit, options.seed)
        n_images = len({sample.image for sample in exam.samples})
        if not options.quiet:
            of = len(exam.data.samples)
            print(f"samples: {len(exam.samples):,} of {of:,}, images: {n_images:,}", file=sys.stderr)
        with ending_in_order():
            with shown(not options.quiet) as display:
                worker = Worker(options.loader(), display.report)
            try:
                with worker, bar(n_images, enabled=not options.quiet) as advance:
                    scores = run(
                        worker,
                        exam,
                        output,
                        settings=options.settings(),
                        retry=retry,
                        restart=restart,
                        baselines=baselines,
                        progress=advance,
                    )
            except (KeyboardInterrupt, SystemExit):
                print("Finished images are kept. Run the same command again to resume.", file=sys.stderr)
                raise
        _print(scores, as_json=as_json)
        if scores.failed:
            reason = read_run(output).reasons.most_common(1)[0][0]
            print(
                f"{scores.failed:,} samples failed and count as wrong. The most frequent reason: {reason}\n"
                'See "error" in results.jsonl; --retry asks those images again.',
                file=sys.stderr,
            )
            raise typer.Exit(SOME_FAILED)

    evaluate.__doc__ = (
        f"{benchmark.title}.\n\nTo resume, run the same command again; a larger --limit asks more samples.\n\n"
        f'Settings for --set (see "youtu-gguf eval list {benchmark.name}"): {settings_in_short(benchmark) or "none"}.'
    )
    return evaluate


def list_(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A benchmark, to see all about it.")] = None,
) -> None:
    """List benchmarks, or say what one expects and depends on."""
    from youtu_gguf.evaluate import BENCHMARKS
    from youtu_gguf.evaluate.describe import describe, listed
    from youtu_gguf.evaluate.exam import find_benchmark

    print(listed(BENCHMARKS.values()) if name is None else describe(find_benchmark(name)))


def score(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The benchmark.")],
    data: DataFolder,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS",
            help="Folder of an evaluation; or predictions.jsonl; or files in the form usual for the benchmark.",
        ),
    ],
    *,
    split: Split = None,
    preset: PresetName = "report",
    changed: Changed = None,
    limit: Limit = None,
    seed: Annotated[int, WhichSamples] = 0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FOLDER", help="Write figures.json to this folder.")
    ] = None,
    baselines: Baselines = True,
    as_json: AsJson = False,
) -> None:
    """Measure answers in files, without a model.

    Of an evaluation, the same samples are measured with the same settings. Samples without an answer count as wrong.
    """
    from youtu_gguf.atomic import writing
    from youtu_gguf.evaluate import score_files
    from youtu_gguf.evaluate.exam import find_benchmark

    exam = _prepare(find_benchmark(name), data, split, preset, changed, limit, seed)
    scores = score_files(exam, predictions, baselines=baselines)
    if output is not None:
        with writing(output):
            output.mkdir(parents=True, exist_ok=True)
        scores.save(output)
    _print(scores, as_json=as_json)
    if scores.failed:
        print(f"{scores.failed:,} samples have no answer and count as wrong.", file=sys.stderr)
        raise typer.Exit(SOME_FAILED)


def table(
    folders: Annotated[
        list[Path],
        typer.Argument(metavar="FOLDER...", help="Folders of evaluations, or a folder that holds such folders."),
    ],
    *,
    as_markdown: Markdown = False,
) -> None:
    """Print the figures of evaluations beside the authors'."""
    from youtu_gguf.evaluate import find_scores

    _print_table(find_scores(folders), as_markdown=as_markdown)


def _prepare(
    benchmark: Benchmark,
    data: Path,
    split: str | None,
    preset: str,
    changed: Sequence[str] | None,
    limit: int | None,
    seed: int,
) -> Exam:
    from youtu_gguf.evaluate import prepare
    from youtu_gguf.evaluate.exam import read_settings

    values = read_settings(benchmark, changed or ())
    known = cast("Preset", preset)  # which `prepare` checks
    return prepare(benchmark, data, split=split, preset=known, changed=values, limit=limit, seed=seed)


def _print(scores: Scores, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(scores.to_json(), ensure_ascii=False))
    else:
        _print_table([scores])


def _print_table(several: Sequence[Scores], *, as_markdown: bool = False) -> None:
    from youtu_gguf.evaluate.table import markdown, text

    print((markdown(several) if as_markdown else text(several)).rstrip())


for function in (list_, score, table):
    app.command(function.__name__.strip("_"), cls=GroupedCommand)(command(function))
