"""TallyQA and CountBench as they lie on disks."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scripts.layouts import countbench, tallyqa
from scripts.unpack_countbench import paired_questions, unpack
from youtu_gguf.errors import InputError
from youtu_gguf.evaluate import BENCHMARKS
from youtu_gguf.evaluate.data.counting import read_countbench, read_tallyqa

ROW = {"image": "VG_100K_2/1.jpg", "question": "How many?", "answer": 4, "issimple": True, "question_id": 7}


@pytest.mark.parametrize(
    ("export", "name", "split", "n"),
    [
        (tallyqa.export, "tallyqa", "simple", 8),
        (tallyqa.export, "tallyqa", "complex", 4),
        (countbench.export, "countbench", "test", 4),
    ],
)
def test_the_truth_as_the_answer_is_right_every_time(
    tmp_path: Path, export: Callable[[Path, int], None], name: str, split: str, n: int
) -> None:
    benchmark = BENCHMARKS[name]
    export(tmp_path, 4)
    data = benchmark.read(tmp_path, split)
    assert len(data.samples) == n
    assert all(sample.image.is_file() for sample in data.samples)
    measure = benchmark.kind.measure(data, benchmark.options())
    for sample in data.samples:
        measure.add(sample, benchmark.kind.perfect(sample))
    assert measure.figures() == {"exact": 1.0, "within_1": 1.0, "mean_error": 0.0, "no_number": 0.0}


def test_simple_and_complex_questions_are_told_apart(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "issimple": False, "question_id": 8}, {**ROW, "question_id": 9}]
    (tmp_path / "test.json").write_text(json.dumps(rows))
    assert [sample.id for sample in read_tallyqa(tmp_path, "simple").samples] == ["7", "9"]
    (sample,) = read_tallyqa(tmp_path, "complex").samples
    assert (sample.id, sample.truth, sample.asked) == ("8", 4, {"question": "How many?"})
    assert sample.image == tmp_path / "VG_100K_2" / "1.jpg"


def test_an_id_that_comes_again_gets_a_number(tmp_path: Path) -> None:
    (tmp_path / "test.json").write_text(json.dumps([ROW, ROW, {**ROW, "question_id": "7"}]))
    assert [sample.id for sample in read_tallyqa(tmp_path, "simple").samples] == ["7", "7-2", "7-3"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({}, "expected a list of questions; got dict"),
        ([], "expected simple questions; there are none"),
        ([ROW, 3], r"test.json, \[1\]: expected an object"),
        ([{**ROW, "answer": "4"}], r"\[0\]: expected 'answer' to be int; got '4'"),
        ([{**ROW, "answer": True}], "expected 'answer' to be int; got True"),
        ([{**ROW, "answer": -1}], "expected 'answer' to be 0 or more; got -1"),
        ([{**ROW, "issimple": 1}], "expected 'issimple' to be bool"),
        ([{**ROW, "question": " "}], "expected a question"),
        ([{**ROW, "image": "../../etc/passwd"}], "leads out of it"),
        ([{**ROW, "image": "/etc/passwd"}], "leads out of it"),
        ([{**ROW, "image": "C:\\x.jpg"}], "leads out of it"),
        ([{**ROW, "image": None}], "expected 'image' to be str"),
    ],
)
def test_a_broken_tallyqa_is_refused_with_its_place(tmp_path: Path, rows: Any, message: str) -> None:
    (tmp_path / "test.json").write_text(json.dumps(rows))
    with pytest.raises(InputError, match=message):
        read_tallyqa(tmp_path, "simple")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are none"),
        ('{"file_name": "a.jpg"}\n', "metadata.jsonl, line 1: expected 'number'"),
        ('\n{"file_name": "a.jpg", "number": 2, "question": "?"}\n{"file', "metadata.jsonl, line 3"),
        ('{"file_name": "../a.jpg", "number": 2, "question": "?"}\n', "line 1.*leads out"),
        ('{"file_name": "a.jpg", "number": NaN, "question": "?"}\n', "line 1: expected 'number' to be int"),
    ],
)
def test_a_broken_countbench_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "metadata.jsonl").write_text(text)
    with pytest.raises(InputError, match=message):
        read_countbench(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"test\.json"):
        read_tallyqa(tmp_path, "simple")
    with pytest.raises(InputError, match=r"metadata\.jsonl"):
        read_countbench(tmp_path)


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(file, form)
    return file.getvalue()


def test_the_parquet_file_is_unpacked_with_the_questions_of_its_rows(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images = [{"bytes": picture("JPEG"), "path": None}, None, {"bytes": picture("PNG"), "path": "x"}]
    table = arrow.table({"image": images, "text": ["a", "b", "c"], "number": [2, 3, 4]})
    parquet.write_table(table, tmp_path / "train.parquet")
    (tmp_path / "questions.json").write_text(json.dumps([{"question": f"How many {x}?"} for x in "abc"]))
    assert unpack(tmp_path / "train.parquet", tmp_path, paired_questions(tmp_path / "questions.json")) == 2
    first, last = read_countbench(tmp_path).samples
    assert (first.id, first.truth, first.asked["question"]) == ("0", 2, "How many a?")
    assert (last.id, last.truth, last.asked["question"]) == ("2", 4, "How many c?")
    assert last.image.name == "00002.png"
    assert last.image.read_bytes() == picture("PNG")


def test_the_table_of_vlmevalkit_is_unpacked(tmp_path: Path) -> None:
    """An image may be given by the index of an earlier row."""
    cell = base64.b64encode(picture("JPEG")).decode()
    text = f"index\timage\tquestion\tanswer\n12\t{cell}\tHow many?\t3\n13\t12\tAnd now?\t5\n"
    (tmp_path / "CountBenchQA.tsv").write_text(text)
    assert unpack(tmp_path / "CountBenchQA.tsv", tmp_path) == 2
    samples = read_countbench(tmp_path).samples
    assert [(sample.id, sample.truth) for sample in samples] == [("12", 3), ("13", 5)]
    assert samples[1].image.read_bytes() == picture("JPEG")


@pytest.mark.parametrize(
    ("cell", "answer", "message"),
    [("%", "3", "expected an image and a number"), ("aGk=", "3", "expected an image"), ("aGk=", "x", "and a number")],
)
def test_a_broken_table_is_refused_with_its_row(tmp_path: Path, cell: str, answer: str, message: str) -> None:
    (tmp_path / "a.tsv").write_text(f"index\timage\tquestion\tanswer\n12\t{cell}\tHow?\t{answer}\n")
    with pytest.raises(InputError, match=message):
        unpack(tmp_path / "a.tsv", tmp_path)


def test_rows_without_a_question_are_refused(tmp_path: Path) -> None:
    cell = base64.b64encode(picture("JPEG")).decode()
    (tmp_path / "a.tsv").write_text(f"index\timage\tquestion\tanswer\n1\t{cell}\t\t3\n")
    with pytest.raises(InputError, match="--questions"):
        unpack(tmp_path / "a.tsv", tmp_path)
