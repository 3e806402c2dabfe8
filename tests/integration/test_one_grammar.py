"""The same question by Python, command line, conversation and batch gives the same value or the same error.

The cases are made from the declarations: every task with its example words, and once more with every example of every
option it has.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from youtu_gguf.batch import Asked, Batch, Journal, settings_of
from youtu_gguf.cli.chat import Conversation
from youtu_gguf.cli.lines import parse_line
from youtu_gguf.cli.main import app
from youtu_gguf.cli.progress import Displays
from youtu_gguf.output import to_json
from youtu_gguf.tasks import TASKS
from youtu_gguf.tasks.declaration import Argument

SMALL = ("--crop-size", "160")
"""Crops of the default size take nano seconds."""

MODEL = ("-m", "nano", "--threads", "1", "--max-tokens", "48", "--quiet")


def words_of(name: str, option: Argument | None = None) -> list[str]:
    """Return the example words of a task; none where another option takes their place."""
    words = TASKS[name].words
    return [] if words is None or (option and option.name in ("box", "point")) else list(words.declared.examples[0])


def cases() -> Iterator[list[str]]:
    for name, task in TASKS.items():
        small = SMALL if any(option.name == "crop_size" for option in task.options) else ()
        yield [name, *words_of(name), *small]
        for option in task.options:
            for example in option.declared.examples:
                more = () if option.name == "crop_size" else small
                yield [name, *words_of(name, option), option.flag, *example, *more]


CASES = [shlex.join(case) for case in cases()]
RUN_OPTIONS = ["describe --max-tokens 5", "detect --scores --seed 3 --temperature 0.5", "ask 这是什么？ --lang zh"]
LINES = [*CASES, *RUN_OPTIONS, "classify --max-seconds 30", "count nothing --strict"]

Answers = dict[str, dict[str, Any] | str]
"""By line its value as JSON, or the message of its error."""


def comparable(form: dict[str, Any]) -> dict[str, Any]:
    """Return what must be the same whichever way it was asked."""
    left_out = ("schema", "task", "image", "timings", "files")
    return {key: value for key, value in form.items() if key not in left_out}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("grammar") / "scene.png"
    Image.fromarray(draw(TEST_SEEDS + 6).rgb).save(path)
    return path


@pytest.fixture(scope="module")
def model() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=48) as model:
        yield model


@pytest.fixture(scope="module")
def by_python(model: yg.Model, image: Path) -> Answers:
    answers: Answers = {}
    scene = model.open(image)
    for line in LINES:
        read = parse_line(line)
        try:
            value = getattr(scene, read.task)(**read.arguments, **read.options)
            answers[line] = comparable(json.loads(json.dumps(to_json(value, arguments=read.arguments))))
        except yg.YoutuError as exc:
            answers[line] = str(exc)
    return answers


def test_values_are_found_and_errors_are_few(by_python: Answers) -> None:
    failed = [line for line, answer in by_python.items() if isinstance(answer, str)]
    assert len(LINES) >= 60
    allowed = ("--refine crf", "--find everything", "--strict")  # without the extra; with classes; at a flaw
    assert all(any(words in line for words in allowed) for line in failed), failed


def test_the_command_line_gives_what_python_gives(by_python: Answers, image: Path) -> None:
    runner = CliRunner()
    answers: Answers = {}
    for line in LINES:
        name, *rest = shlex.split(line)
        model = [word for word in MODEL if "--max-tokens" not in rest or word not in ("--max-tokens", "48")]
        done = runner.invoke(app, [name, str(image), *rest, *model, "--json"])
        failed = done.exit_code != 0
        answers[line] = done.stderr.removeprefix("error: ").strip() if failed else comparable(json.loads(done.stdout))
    assert answers == by_python


def test_a_conversation_gives_what_python_gives(
    by_python: Answers, model: yg.Model, image: Path, tmp_path: Path
) -> None:
    answers: Answers = {}
    talk = Conversation(model, str(image), Displays(False), interactive=False)
    for n, line in enumerate(LINES):
        file = tmp_path / f"{n}.json"
        said, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
            failed = talk.run([f"/{line}"]) != 0 or talk.run([f"/save {file}"]) != 0
        message = complained.getvalue().removeprefix("error: ").strip()
        answers[line] = message if failed else comparable(json.loads(file.read_text(encoding="utf-8")))
    assert answers == by_python


def batch_answer(line: str, results: Path) -> dict[str, Any] | str:
    """Return what a batch of one image wrote of its only question."""
    (result,) = json.loads(results.read_text(encoding="utf-8"))["results"]
    return result["error"]["message"] if "error" in result else comparable(result)


def test_a_batch_gives_what_python_gives(by_python: Answers, model: yg.Model, image: Path, tmp_path: Path) -> None:
    """One line a batch: asked side by side with others, two tokens that are as good as equal may change places."""
    answers: Answers = {}
    for n, line in enumerate(LINES):
        read = parse_line(line)
        asked = [Asked(line, read.question, {"arguments": read.arguments})]
        try:
            with Journal(tmp_path / f"{n}", settings_of(model, asked, {}, ("npz",))) as journal:
                assert list(Batch(model, asked, journal).run([image])) == [image]
        except yg.YoutuError as exc:  # an extra that is not installed ends a batch: every image needs it
            answers[line] = str(exc)
            continue
        answers[line] = batch_answer(line, tmp_path / f"{n}" / "results.jsonl")
    assert answers == by_python


def test_the_command_of_a_batch_gives_what_python_gives(by_python: Answers, image: Path, tmp_path: Path) -> None:
    """Each starts a process and loads the model, so a few lines stand for all."""
    for n, line in enumerate([*RUN_OPTIONS, CASES[0], *(case for case in CASES if "--zoom" in case)]):
        done = CliRunner().invoke(app, ["batch", str(image), "-t", line, "-o", str(tmp_path / f"{n}"), *MODEL])
        assert batch_answer(line, tmp_path / f"{n}" / "results.jsonl") == by_python[line], done.stderr


@pytest.mark.parametrize(
    "line", ["refer the red circle --most 3", "segment --all sky grass", "detect sky --zoom 9", "depth --scale mars"]
)
def test_a_wrong_option_ends_a_batch_before_any_image_is_looked_at(line: str, image: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["batch", str(image), "-t", line, "-o", str(tmp_path / "out"), *MODEL])
    assert done.exit_code == 2
    assert line.split(maxsplit=1)[0] in done.stderr
    assert not (tmp_path / "out").exists()
