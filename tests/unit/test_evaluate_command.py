"""The commands of `eval`: what they list, print and refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import youtu_gguf as yg
from tests.squares_benchmark import SQUARES, write_squares
from youtu_gguf.cli.main import app
from youtu_gguf.evaluate import BENCHMARKS, prepare, run
from youtu_gguf.evaluate.describe import describe, plain, typed, value_of
from youtu_gguf.testing import FakeEngine


@pytest.fixture(autouse=True)
def squares() -> Iterator[None]:
    """Add the benchmark of the tests to those there are."""
    BENCHMARKS[SQUARES.name] = SQUARES
    yield
    del BENCHMARKS[SQUARES.name]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "data")


@pytest.fixture
def out(data: Path, tmp_path: Path) -> Path:
    run(yg.load(engine=FakeEngine({"How many": "2"})), prepare(SQUARES, data), tmp_path / "out")
    return tmp_path / "out"


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["eval", *map(str, words)])


def test_all_benchmarks_are_listed_and_each_is_a_command() -> None:
    listed = call("list").stdout.splitlines()
    assert [line.split()[0] for line in listed[1:]] == list(BENCHMARKS)
    assert listed[-1].split() == ["squares", "Squares", "Accuracy", "90.0", "all,", "few,", "none"]
    text = call("--help").stdout
    assert [name for name in BENCHMARKS if f"\n  {name} " not in text] == []
    assert max(map(len, text.splitlines())) <= 80


def test_a_benchmark_says_what_it_expects_and_depends_on() -> None:
    assert call("list", "squares").stdout.rstrip("\n").splitlines() == [
        "Squares",
        "",
        "Data:",
        "  squares.json, images/",
        "  Drawn by a test.",
        "",
        "Splits: all, few, none",
        "",
        "Settings, in the preset report; --set NAME=VALUE changes those with =:",
        "  words=Count [fast: Guess] (our guess)",
        "      Words after the question.",
        "  metric: exact (as published)",
        "      How numbers are compared.",
        "",
        "Figures:",
        "  Accuracy; the authors': all 90.0",
        "  Mean error",
    ]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_can_be_described_and_its_settings_are_consistent(name: str) -> None:
    benchmark = BENCHMARKS[name]
    text = describe(benchmark)
    assert text.startswith(benchmark.title)
    assert [line for line in text.splitlines() if len(line) > 80 and " " in line.strip()] == []
    assert (benchmark.name, len(set(benchmark.splits))) == (name, len(benchmark.splits))
    assert set(benchmark.published) <= set(benchmark.splits)
    figures = {figure.name: figure for figure in benchmark.kind.figures}
    for values in benchmark.published.values():
        assert set(values) <= set(figures)
        assert all(0 < value <= 1 for figure, value in values.items() if figures[figure].is_share)
    for preset in ("report", "fast"):
        options = benchmark.options(preset)
        assert json.loads(json.dumps(options)).keys() == options.keys()
    for setting in benchmark.settings:
        assert (setting.note[-1] in ".", setting.known) in ((True, "as published"), (True, "our guess"))
        if setting.read is None:
            assert setting.report == setting.fast
        else:
            values = (value for value in (setting.report, setting.fast) if value is not None)
            assert [(typed(v), v) for v in values if setting.read(typed(v)) != v] == []
        for value in (setting.report, setting.fast):
            assert value_of(setting, json.loads(json.dumps(plain(value)))) == value


def test_answers_are_scored_and_figures_written(data: Path, out: Path, tmp_path: Path) -> None:
    done = call("score", "squares", data, out, "-o", tmp_path / "again")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        0,
        "Squares, all (samples: 12, images: 6, failed: 0, model: -)",
    )
    assert (tmp_path / "again" / "figures.json").read_bytes() == (out / "figures.json").read_bytes()
    as_json = json.loads(call("score", "squares", data, out, "--json", "--no-baselines").stdout)
    assert (as_json["n"], as_json["baselines"]) == (12, {})


def test_missing_answers_are_counted_and_the_exit_code_is_1(data: Path, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"id": "few/0/0", "prediction": {"n": 0}}\n')
    done = call("score", "squares", data, tmp_path / "p.jsonl")
    assert (done.exit_code, "11 samples have no answer and count as wrong." in done.stderr) == (1, True)


def test_tables_of_one_or_many_folders(out: Path, tmp_path: Path) -> None:
    for folder in (out, tmp_path):
        done = call("table", folder)
        assert (done.exit_code, done.stdout.splitlines()[2].split()[:3]) == (0, ["Accuracy", "16.7", "0.0"])
    assert call("table", out, "--markdown").stdout.startswith("| benchmark | split | figure | value |")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("squares {data}/gone -o {out}2", "expected the folder of a data set"),
        ("squares {data}/squares.json -o {out}2", "expected the folder of a data set"),
        ("squares {data} -o {out}2 --split val", "has the splits all, few, none; got 'val'"),
        ("squares {data} -o {out}2 --split none", "expected samples of squares none"),
        ("squares {data} -o {out}2 --preset best", "expected a preset, report or fast; got 'best'"),
        ("squares {data} -o {out}2 --set words", "expected a setting as NAME=VALUE; got 'words'"),
        ("squares {data} -o {out}2 --set zoom=2", "squares has the settings words; got 'zoom'"),
        ("squares {data} -o {out}2 --set words=7", "expected a word; got '7'"),
        ("squares {data} -o {out}2 --limit 0", "at least 1 sample; got 0"),
        ("score triangles {data} {out}", "expected a benchmark, one of "),
        ("list triangles", "expected a benchmark, one of "),
        ("score squares {data} {out}2", "which does not exist"),
        ("score squares {data} {out} --split few", "expected a run of squares few"),
        ("table {data}", "expected figures.json in"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(data: Path, out: Path, words: str, message: str) -> None:
    done = call(*words.format(data=data, out=out).split())
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
