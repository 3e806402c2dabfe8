"""Collecting: what the parts of a run become is what a batch would have written."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import youtu_gguf as yg
from youtu_gguf.batch import Asked, Batch, Finished, Journal, Written, settings_of, write_datasets
from youtu_gguf.batch.collect import Collection
from youtu_gguf.batch.folder import check_settings
from youtu_gguf.batch.image import Questions
from youtu_gguf.batch.parts import Parts, Row
from youtu_gguf.batch.questions import json_to_question, question_to_json
from youtu_gguf.batch.shard import row_of
from youtu_gguf.batch.sources import Item
from youtu_gguf.batch.spool import InOrder, Records
from youtu_gguf.batch.store import Store
from youtu_gguf.cli.lines import parse_line
from youtu_gguf.cli.main import app
from youtu_gguf.errors import InputError, OutputError
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.testing import FakeEngine

ANSWERS = {
    "Detect all": "<ref>square</ref><box><x_8><y_8><x_32><y_32></box><ref>lid</ref><box><x_1><y_2><x_3><y_4></box>",
    "classes: lid": "<ref>cat</ref><box><x_8><y_8><x_32><y_32></box>",
}
TASKS = ("detect", "detect lid", "segment lid sky --present all")
FORMATS = (*DATASETS, "npz", "index.png")
NAMES = tuple(f"photos/{name}.png" for name in ("a", "b", "c", "d", "deep/a", "é"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images in `photos`, one of which is broken."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/deep").mkdir(parents=True)
    for i, name in enumerate(NAMES):
        Image.fromarray(np.full((40, 48, 3), 40 * i, np.uint8)).save(tmp_path / name)
    (tmp_path / "photos/c.png").write_bytes(b"no image")
    return tmp_path


def model() -> yg.Model:
    return yg.load(engine=FakeEngine(ANSWERS, vocabulary={"lid": 1, "sky": 2}))


def asked_about(tasks: Sequence[str] = TASKS) -> list[Asked]:
    lines = [(words, parse_line(words)) for words in tasks]
    return [Asked(words, line.question, {"arguments": line.arguments}) for words, line in lines]


def rows(names: Sequence[str], formats: Sequence[str] = FORMATS) -> list[Row]:
    """Return the rows of a part about some images."""
    questions = Questions(tuple(asked_about()), tuple(formats))
    found = []
    with model() as loaded:
        for name in names:
            files: dict[str, bytes] = {}

            def put(file: str, *data: bytes | memoryview, files: dict[str, bytes] = files) -> None:
                files[file] = b"".join(data)

            line = questions.ask(loaded, Path(name), name, put).line
            found.append(row_of(Item(name, name, "0"), line, files))
    return found


def run(out: str, parts: dict[str, Sequence[str]], formats: Sequence[str] = FORMATS) -> Store:
    """Write an output folder as runs on a cluster do, with the images of each part."""
    store = Store(out)
    asked = asked_about()
    questions = [*map(question_to_json, asked)]
    with model() as loaded:
        check_settings(store, settings_of(loaded, asked, {}, formats) | {"questions": questions})
    for name, names in parts.items():
        Parts(store).write(f"parts/{name}.parquet", rows(names, formats), {})
    return store


def batch(out: str, names: Sequence[str], formats: Sequence[str] = FORMATS) -> None:
    """Do the same with a batch on this machine."""
    with model() as loaded, Journal(Path(out), settings_of(loaded, asked_about(), {}, formats)) as journal:
        for _ in Batch(loaded, asked_about(), journal, formats=formats).run([*map(Path, names)]):
            pass
        list(write_datasets(Finished.of(Path(out), asked_about(), journal.lines), formats))


def collect(out: str, folder: str, formats: Sequence[str] | None = None, **how: Any) -> list[Written]:
    found = Collection(Store(out))
    return list(found.write(Path(folder), found.formats if formats is None else formats, **how))


def lines(folder: str) -> list[dict[str, Any]]:
    """Return the lines of a folder without times."""
    found = [json.loads(line) for line in Path(folder, "results.jsonl").read_text("utf-8").splitlines()]
    for part in [part for line in found for part in (line, *line.get("results", ()))]:
        part.pop("seconds", None)
        part.pop("timings", None)
    return found


def written(folder: str) -> dict[str, bytes]:
    """Return all other files of a batch, but for the parts of data sets, which a cluster's batch has in its parts."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    ours = ("results.jsonl", "settings.json")
    return {name: data for name, data in found.items() if name not in ours and not name.endswith(".parts.jsonl")}


def test_the_collected_folder_is_the_one_that_a_batch_writes(folder: Path) -> None:
    run("out", {"2-0": (NAMES[5], NAMES[0]), "2-1": NAMES[2:4], "3-0": (NAMES[4], NAMES[1])})
    batch("expected", NAMES)
    done = collect("out", "collected")
    assert written("collected") == written("expected")
    assert lines("collected") == sorted(lines("expected"), key=lambda line: str(line["image"]))
    assert [(one.path.as_posix(), one.n_images) for one in done][:4] == [
        ("collected/files", 5),
        ("collected/results.jsonl", 6),
        ("collected/coco/1-detect.json", 5),
        ("collected/coco/2-detect.json", 5),
    ]
    assert [one.n_images for one in done if one.path.name == "results.csv"] == [6]
    assert len([name for name in written("collected") if name.startswith("files/")]) >= 3 * 5


def test_lines_are_the_bytes_of_the_parts_in_the_order_of_names(folder: Path) -> None:
    store = run("out", {"2-0": NAMES[3:], "3-0": NAMES[:3]})
    collect("out", "collected", ["jsonl"])
    in_parts = {row.image: row.line for name in Parts(store).index().parts for row in Parts(store).rows(name)}
    assert Path("collected/results.jsonl").read_bytes() == b"".join(in_parts[name] for name in sorted(NAMES))


def test_of_an_image_that_was_done_again_the_last_run_counts_and_nothing_of_the_earlier_stays(folder: Path) -> None:
    run("out", {"1-0": NAMES})
    collect("out", "out")
    Path("out/files/mine.txt").write_text("mine")
    files = next(Path("out/files").glob("b-*"))
    (files / "mine.npz").write_bytes(b"mine")
    Path("photos/b.png").write_bytes(b"no image")
    Image.new("RGB", (96, 80)).save("photos/c.png")
    run("out", {"1-0": NAMES, "2-0": ("photos/b.png", "photos/c.png")}, FORMATS)
    before = {path: path.stat().st_mtime_ns for path in Path("out/files").glob("a-*/*")}
    collect("out", "out")
    batch("expected", NAMES)
    assert lines("out") == sorted(lines("expected"), key=lambda line: str(line["image"]))
    found = {name: data for name, data in written("out").items() if not name.startswith("parts/")}
    mine = {"files/mine.txt": b"mine", f"files/{files.name}/mine.npz": b"mine"}
    assert found == written("expected") | mine
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_collecting_again_changes_nothing_and_leaves_nothing_else(folder: Path) -> None:
    run("out", {"1-0": NAMES})
    collect("out", "collected")
    names = {path.relative_to("collected").parts[0] for path in Path("collected").rglob("*")}
    assert names == {"settings.json", "results.jsonl", "files", "results.csv", *DATASETS} - {"csv"}
    before = written("collected"), Path("collected/results.jsonl").read_bytes()
    collect("out", "collected")
    assert (written("collected"), Path("collected/results.jsonl").read_bytes()) == before


def test_formats_are_chosen_and_others_stay_as_they_were(folder: Path) -> None:
    run("out", {"1-0": NAMES[:2]})
    collect("out", "collected", ["jsonl", "coco", "index.png"])
    assert {path.name for path in Path("collected/files").glob("*/*")} == {
        "3-segment.index.png",
        "3-segment.classes.json",
    }
    assert not Path("collected/yolo").exists()
    run("out", {"1-0": NAMES[:2], "2-0": NAMES[3:]})
    collect("out", "collected", ["yolo"])
    assert len(lines("collected")) == 2
    assert len(json.loads(Path("collected/coco/1-detect.json").read_bytes())["images"]) == 2
    assert len(Path("collected/yolo/1-detect/train.txt").read_text("utf-8").splitlines()) == 5


@pytest.mark.parametrize(
    ("prepare", "out", "target", "message"),
    [
        (lambda: None, "nothing", "x", r"nothing has no settings\.json"),
        (lambda: batch("plain", NAMES[:1]), "plain", "x", r"plain has other settings\.json .*questions"),
        (lambda: run("out", {}), "out", "x", "expected finished images in out; there are none yet"),
        (lambda: (run("out", {"1": NAMES[:1]}), batch("x", NAMES[:1])), "out", "x", "x holds the results of a batch"),
        (
            lambda: (run("out", {"1": NAMES[:1]}), run("two", {"1": NAMES[:1]}), collect("two", "x", ["jsonl"])),
            "out",
            "x",
            r"x holds files that were collected of another run \(collected: .*two before, .*out now\)",
        ),
    ],
)
def test_what_cannot_be_collected_is_refused_and_nothing_is_written(
    folder: Path, prepare: Callable[[], Any], out: str, target: str, message: str
) -> None:
    prepare()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=message):
        collect(out, target, ["jsonl"])
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_format_that_the_run_has_not_stored_is_refused_with_those_that_it_has(folder: Path) -> None:
    run("out", {"1-0": NAMES[:1]}, ["coco", "npz"])
    with pytest.raises(InputError, match=r"that out has: jsonl, coco, npz; got 'png'.*--format in another output"):
        collect("out", "x", ["png"])
    assert not Path("x").exists()


def test_a_batch_does_not_resume_where_results_were_collected(folder: Path) -> None:
    run("out", {"1-0": NAMES[:1]})
    collect("out", "collected")
    with pytest.raises(
        InputError, match=r"collected is the output of `youtu-gguf collect`, so this command cannot use it"
    ):
        batch("collected", NAMES)


def test_everything_is_as_before_when_a_part_is_damaged_or_the_work_is_interrupted(folder: Path) -> None:
    run("out", {"1-0": NAMES[:3]})
    collect("out", "collected")
    before = {path: path.read_bytes() for path in Path("collected").rglob("*") if path.is_file()}
    run("out", {"1-0": NAMES[:3], "2-0": NAMES[3:]})

    def interrupt(stage: str, done: int, _total: int) -> None:
        if (stage, done) == ("parts", 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect("out", "collected", ["jsonl", "coco"], progress=interrupt)
    part = Path("out/parts/2-0.parquet")
    whole = part.read_bytes()
    found = Collection(Store("out"))
    part.write_bytes(whole[:-100])
    with pytest.raises(InputError, match=r"parts/2-0\.parquet in out to be whole"):
        list(found.write(Path("collected"), ["jsonl", "coco"]))
    part.unlink()
    with pytest.raises(InputError, match="was deleted meanwhile"):
        list(found.write(Path("collected"), ["jsonl", "coco"]))
    assert {path: path.read_bytes() for path in Path("collected").rglob("*") if path.is_file()} == before


def test_a_part_that_lacks_a_piece_is_named_by_its_image(folder: Path) -> None:
    store = run("out", {})
    (row,) = rows(NAMES[:1])
    Parts(store).write("parts/1-0.parquet", [Row(**{**_fields(row), "pieces": {}})], {})
    with pytest.raises(InputError, match=r"detect\.parts\.jsonl in the part that has photos/a\.png.*Delete that part"):
        collect("out", "collected")
    assert len(lines("collected")) == 1


def test_files_are_written_below_the_folder_alone(folder: Path) -> None:
    store = run("out", {})
    (row,) = rows(NAMES[:1])
    for name in ("../evil.npz", "files/../../evil.npz", "files/a-00000000/../x.npz", "settings.json"):
        Parts(store).write("parts/1-0.parquet", [Row(**{**_fields(row), "files": {name: b"evil"}})], {})
        with pytest.raises(InputError, match=r"expected files of an image in the part that has photos/a\.png; got"):
            collect("out", "collected", ["npz"])
    assert not [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == b"evil"]


def _fields(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__}


def test_two_do_not_collect_into_one_folder(folder: Path) -> None:
    run("out", {"1-0": NAMES[:1]})
    begun = Collection(Store("out")).write(Path("x"), ["jsonl", "coco"])
    next(begun)
    with pytest.raises(InputError, match="another process is writing there"):
        collect("out", "x")
    assert len(list(begun)) == 3
    collect("out", "x")


def test_a_folder_that_cannot_be_made_is_an_output_error(folder: Path) -> None:
    run("out", {"1-0": NAMES[:1]})
    Path("file").write_text("x")
    with pytest.raises(OutputError, match="file/x"):
        collect("out", "file/x")


@pytest.mark.parametrize("tasks", [TASKS, ('count "a cat" --by detection', "count cat", "refer the dog", "ask Why?")])
def test_questions_are_made_again_of_settings(tasks: Sequence[str]) -> None:
    for asked in asked_about(tasks):
        again = json_to_question(json.loads(json.dumps(question_to_json(asked))), asked.words)
        assert (again.words, again.question.task, again.kind) == (asked.words, asked.question.task, asked.kind)
        assert question_to_json(again) == question_to_json(asked)


def test_arrays_and_paths_of_a_question_become_json() -> None:
    asked = Asked("mine", yg.Question("refer", (), {"box": np.array([1.0, 2.0]), "text": Path("a"), "n": np.int32(3)}))
    form = {"box": [1.0, 2.0], "text": "a", "n": 3}
    assert json.loads(json.dumps(question_to_json(asked))) == {"task": "refer", "arguments": form}


@pytest.mark.parametrize("seed", range(5))
def test_byte_strings_come_in_any_order_and_go_out_in_theirs(tmp_path: Path, seed: int) -> None:
    data = [bytes([n]) * (n % 7) for n in range(40)]
    order = [*range(40)]
    random.Random(seed).shuffle(order)
    out: list[bytes] = []
    with Records(tmp_path, 40) as waiting:
        in_order = InOrder(out.append, waiting, 40)
        for place in order:
            in_order.put(place, data[place])
    assert out == data
    assert not [*tmp_path.iterdir()]


def test_the_command_says_what_it_wrote_and_what_is_left_out(folder: Path) -> None:
    Path("photos/a.bmp").write_bytes(Path("photos/a.png").read_bytes())
    run("out", {"1-0": ("photos/a.bmp", *NAMES)})
    invoke = partial(CliRunner().invoke, app)
    done = invoke(["collect", "out", "--format", "jsonl,coco"])
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "Wrote out/results.jsonl: 7 images",
        "Wrote out/coco/1-detect.json: 6 images",
        "Wrote out/coco/2-detect.json: 6 images",
        "Wrote out/coco/3-segment.json: 6 images",
        "7 images finished; 1 with errors",
    ]
    done = invoke(["collect", "out", "-o", "x", "--format", "yolo"])
    assert done.exit_code == 1
    assert "Left out of x/yolo/1-detect: photos/a.png, since it would share photos/a.txt" in done.stderr
    assert invoke(["collect", "out", "--format", "png"]).exit_code == 2
    assert "elsewhere. Name one with -o." in invoke(["collect", "s3://bucket/out"]).stderr
