"""Tasks as a line: the same words and options as on the command line, minus IMAGE."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import youtu_gguf as yg
from youtu_gguf.cli.lines import help_of, parse_line
from youtu_gguf.errors import InputError
from youtu_gguf.tasks import TASKS


@pytest.mark.parametrize(
    ("line", "task", "arguments"),
    [
        ("describe", "describe", {}),
        ("  ASK  What is  this? ", "ask", {"question": "What is this?"}),
        ('ask "What is  this?"', "ask", {"question": "What is  this?"}),
        ("reason Is it safe? Why?", "reason", {"question": "Is it safe? Why?"}),
        ("detect", "detect", {}),
        ('detect car "traffic light" --zoom 2', "detect", {"classes": ["car", "traffic light"], "zoom": 2.0}),
        ("detect --zoom=1,auto cat", "detect", {"classes": ["cat"], "zoom": (1.0, "auto")}),
        ("count red dogs", "count", {"what": "red dogs"}),
        ("count dog --by detection", "count", {"what": "dog", "by": "detection"}),
        ("click open the menu", "click", {"instruction": "open the menu"}),
        ("instances car dog --limit 3", "instances", {"classes": ["car", "dog"], "limit": 3}),
        ("refer the red circle --crop-size 224", "refer", {"phrase": "the red circle", "crop_size": 224}),
        ("refer --box 1 2 30 4.5", "refer", {"box": (1.0, 2.0, 30.0, 4.5)}),
        ("ground -- -5 degrees", "ground", {"description": "-5 degrees"}),
        ("segment road sky --present ALL", "segment", {"classes": ["road", "sky"], "present": "all"}),
        ("segment --background --zoom auto sky", "segment", {"classes": ["sky"], "background": True, "zoom": "auto"}),
        ("detect --zoom 1,Auto:2", "detect", {"zoom": (1.0, "auto:2")}),
        ("depth --zoom auto:3", "depth", {"zoom": "auto:3"}),
        ("depth --scale nyuv2 --tiles 2x1", "depth", {"scale": "nyuv2", "tiles": (2, 1)}),
        ("depth --zoom focal --focal-px 900", "depth", {"zoom": "focal", "focal_px": 900.0}),
        ("depth --focal-px unknown", "depth", {"focal_px": "unknown"}),
    ],
)
def test_a_line_is_a_task_with_its_arguments_by_name(line: str, task: str, arguments: dict[str, Any]) -> None:
    read = parse_line(line)
    assert (read.task, read.arguments, read.options) == (task, arguments, {})
    assert read.question == yg.Question(task, (), arguments)


def test_a_line_may_have_the_options_of_a_run() -> None:
    line = "ask Why? --max-tokens 9 --max-seconds 5 --temperature 0 --seed 1 --scores --strict --lang zh"
    read = parse_line(f'{line} --stop . --stop "a b"')
    assert read.arguments == {"question": "Why?"}
    assert read.options == {
        "max_tokens": 9, "max_s": 5.0, "temperature": 0.0, "seed": 1, "scores": True, "strict": True, "lang": "zh",
        "stop": [".", "a b"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "expected a task, one of ask, describe.*; got 'nothing'"),
        ("paint it", "expected a task, .*got 'paint'"),
        ("count", r"count: missing argument 'WHAT.*Usage: count WHAT... \[OPTIONS\]"),
        ("count --boxes dog", r"count: no such option: --boxes.*\. Usage: count WHAT"),
        ("count dog --by magic", "count: by must be one of answer, detection; got 'magic'"),
        ("pose standing", "pose: got unexpected extra argument"),
        ("detect car, person", "detect: class names are separated by blanks; got 'car,'"),
        ("segment 杯子、狗", "class names are separated by blanks; got '杯子、狗'"),
        ("detect a a", "detect: class names must differ"),
        ("segment --all sky grass", "segment: no such option: --all"),
        ("segment sky --zoom", "segment: option '--zoom' requires an argument"),
        ("depth --zoom big", "depth: zoom must be a number from 1 to 4, auto, auto:2 or auto:3; got 'big'"),
        ("depth --zoom 0", "zoom must be a number from 1 to 4"),
        ("depth --zoom nan", "zoom must be a number from 1 to 4"),
        ("depth --tiles 2", "tiles must be columns and rows, as 2x2; got '2'"),
        ("depth --tiles 0x2", "two positive whole numbers, columns and rows"),
        ("depth --focal-px abc", "focal_px must be pixels of the image, unknown or assumed; got 'abc'"),
        ("depth --scale mars", "scale must be one of open, nyuv2, cityscapes, ddad; got 'mars'"),
        ("segment --zoom focal", "zoom must be a number from 1 to 4, auto, auto:2 or auto:3; got 'focal'"),
        ("refer cup --crop-size 1", "crop_size must be a whole number of pixels from"),
        ("refer cup --padding half", "padding must be a number from 1; got 'half'"),
        ("refer --box 1 2 3", "refer: option '--box' requires 4 arguments"),
        ("refer --box 1 2 3 x", "a box must be left, top, right, bottom in pixels; got 'x'"),
        ("instances --limit many", "limit must be a whole number of objects"),
        ("ask Why? --max-tokens few", "ask: invalid value for '--max-tokens'"),
        ("ask Why? --lang fr", "ask: invalid value for '--lang'"),
        ("ask Why? --model nano", "ask: no such option: --model"),
        ("ask What's this?", 'has no partner.*ask "What\'s this\\?"'),
    ],
)  # fmt: skip
def test_an_invalid_line_is_refused(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_line(line)


@pytest.mark.parametrize("name", TASKS)
def test_every_option_of_a_task_can_be_typed_as_declared(name: str) -> None:
    task = TASKS[name]
    words = [] if task.words is None else list(task.words.declared.examples[0])
    for argument in task.options:
        for example in argument.declared.examples:
            read = parse_line(" ".join([name, *words, argument.flag, *example]))
            assert argument.name in read.arguments
        assert argument.flag in help_of(name)


@pytest.mark.parametrize("name", [name for name in TASKS if hasattr(yg.Scene, name)])
def test_the_method_of_a_scene_takes_what_the_task_declares(name: str) -> None:
    method = inspect.signature(getattr(yg.Scene, name)).parameters
    shared = [p for p in method if p not in ("self", "stream", "options")]
    declared = {argument.name: argument.default for argument in TASKS[name].arguments}
    assert shared == list(declared)
    assert {p: method[p].default for p in shared} == declared


@pytest.mark.parametrize("name", TASKS)
def test_help_is_made_from_the_declaration_of_a_task(name: str) -> None:
    task = TASKS[name]
    assert task.summary.endswith(".")
    assert " ".join(task.summary.split()) in " ".join(help_of(name).split())
    assert "Args" not in task.help
