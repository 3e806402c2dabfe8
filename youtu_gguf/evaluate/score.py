"""Makes figures of answers, always anew: from the lines of a run, or from files of any program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import youtu_gguf as yg
from youtu_gguf.evaluate.base import Figure, Measure, Prediction, Sample
from youtu_gguf.evaluate.describe import plain
from youtu_gguf.evaluate.exam import Exam, choose
from youtu_gguf.evaluate.figures import CHANGED, Option, Scored, Scores, number
from youtu_gguf.evaluate.intervals import intervals
from youtu_gguf.evaluate.lines import JSON_LINES, is_run, read_predictions, read_run, samples_of_run, settings_of_run


def score(
    exam: Exam,
    said: Mapping[str, Prediction],
    *,
    model: Any = None,
    seconds: float | None = None,
    baselines: bool = True,
) -> Scores:
    """Return the figures of answers.

    Args:
        exam: What was asked.
        said: Answers by the id of their sample. A sample without one counts as wrong; others are ignored.
        model: What is known about the model, as JSON.
        seconds: How long answering took.
        baselines: Also measure answers that do not depend on the image.

    Raises:
        InputError: An answer is of a form that the benchmark does not know, or the truth cannot be read.
    """
    benchmark = exam.benchmark
    measure = _measured(exam, lambda sample: said.get(sample.id))
    ends = intervals(measure)
    values = measure.figures()
    beside = benchmark.kind.baselines(exam.data, exam.options) if baselines else {}
    return Scores(
        benchmark=benchmark.name,
        title=benchmark.title,
        split=exam.split,
        preset=exam.preset,
        options=_options(exam),
        model=model,
        n=len(exam.samples),
        of=len(exam.data.samples),
        images=measure.n_images,
        limit=exam.limit,
        seed=exam.seed,
        failed=sum(sample.id not in said for sample in exam.samples),
        figures={
            figure.name: _scored(figure, values.get(figure.name, np.nan), ends.get(figure.name, (np.nan, np.nan)))
            for figure in benchmark.kind.figures
        },
        baselines={
            name: {figure: number(value) for figure, value in _measured(exam, answer).figures().items()}
            for name, answer in beside.items()
        },
        published=dict(benchmark.published.get(exam.split, {})),
        seconds=seconds,
        versions={"youtu_gguf": yg.__version__, "numpy": np.__version__},
    )


def score_files(exam: Exam, path: str | Path, *, baselines: bool = True) -> Scores:
    """Return the figures of answers in files.

    Args:
        exam: What was asked. Settings of a run are those that it was made with; so are its samples, unless the exam has
            a limit.
        path: The folder of a run; predictions.jsonl with "id", "prediction" and, for pixels, "file" in each line; or
            files in the form that is usual for the benchmark's kind.
        baselines: Also measure answers that do not depend on the image.

    Raises:
        InputError: The files are broken, or about other samples.
    """
    path = Path(path)
    where = f"{exam.benchmark.name} {exam.split}"
    if not path.exists():
        raise yg.InputError(f"expected answers; got {path}, which does not exist. Check the path.")
    if is_run(path):
        preset, options = settings_of_run(path, exam.benchmark, exam.split)
        run = read_run(path)
        _check_ids(run.said, exam, path)
        exam = replace(exam, preset=preset, options=options)
        if exam.limit is None:
            limit, seed = samples_of_run(path)
            exam = replace(exam, samples=choose(exam.data.samples, limit, seed), limit=limit, seed=seed)
        return score(exam, run.said, model=run.model, seconds=run.seconds, baselines=baselines)
    if path.suffix == JSON_LINES:
        return score(exam, read_predictions(path, exam.data, where), baselines=baselines)
    said = exam.benchmark.kind.read_predictions(path, exam.data)
    _check_ids(said, exam, path)
    return score(exam, said, baselines=baselines)


def _check_ids(said: Mapping[str, Prediction], exam: Exam, path: Path) -> None:
    """Refuse answers to samples that are not in the data.

    Raises:
        InputError: There are some.
    """
    known = {sample.id for sample in exam.data.samples}
    strange = next((name for name in said if name not in known), None)
    if strange is not None:
        where = f"{exam.benchmark.name} {exam.split} in {exam.data.folder}"
        raise yg.InputError(f"expected answers to samples of {where}; {path} has one to {strange!r}.")


def _measured(exam: Exam, answer: Callable[[Sample], Prediction | None]) -> Measure:
    """Return a measure of what `answer` gives for each sample.

    Raises:
        InputError: An answer is of a form that the benchmark does not know; names the sample.
    """
    measure = exam.benchmark.kind.measure(exam.data, exam.options)
    for sample in exam.samples:
        try:
            measure.add(sample, answer(sample))
        except yg.InputError as exc:
            raise yg.InputError(f"sample {sample.id!r}: {exc}") from exc
    return measure


def _scored(figure: Figure, value: float, ends: tuple[float, float]) -> Scored:
    low, high = map(number, ends)
    return Scored(figure.title, number(value), low, high, figure.is_share, figure.lower_is_better)


def _options(exam: Exam) -> dict[str, Option]:
    found = {}
    for setting in exam.benchmark.settings:
        value = exam.options[setting.name]
        found[setting.name] = Option(plain(value), setting.known if value == setting.report else CHANGED)
    return found
