"""Data sets out of a batch: the same bytes in whatever runs the images were finished, whatever they are called."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.batch import Asked, Batch, Finished, Journal, Written, checked_formats, write_datasets
from youtu_gguf.batch.datasets import image_ids, numbers_of
from youtu_gguf.cli.lines import parse_line
from youtu_gguf.errors import InputError
from youtu_gguf.facts import BIN_TOKENS
from youtu_gguf.output.datasets import DATASETS
from youtu_gguf.testing import FakeEngine

ANSWERS = {
    "Describe": "=A square.",
    "Detect all": "<ref>square</ref><box><x_8><y_8><x_32><y_32></box><ref>lid</ref><box><x_1><y_2><x_3><y_4></box>",
    "classes: cat": "<ref>cat</ref><box><x_8><y_8><x_32><y_32></box>",
}
FORMATS = (*DATASETS, "npz")
SETTINGS = {"tasks": "these"}


class DyingJournal(Journal):
    """Is killed when it is about to write its nth line: the files of the image are there then."""

    dies_at = 0

    def add(self, name: str, line: dict[str, Any]) -> None:
        if len(self.lines) == self.dies_at:
            raise KeyboardInterrupt
        super().add(name, line)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with images in `photos`, one of which is broken."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/deep").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b.png", "c.png", "deep/a.png")):
        Image.fromarray(np.full((40, 48, 3), 40 * i, np.uint8)).save(tmp_path / "photos" / name)
    (tmp_path / "photos/c.png").write_bytes(b"no image")
    return tmp_path


def questions(*lines: str) -> list[Asked]:
    return [Asked(words, parse_line(words).question) for words in lines]


ASKED = questions("detect", "describe", "detect cat")


def run(
    out: str, images: Sequence[str], journal: type[Journal] = Journal, asked: Sequence[Asked] = ASKED, **how: Any
) -> list[Written]:
    formats = how.pop("formats", FORMATS)
    with journal(Path(out), SETTINGS, restart=how.pop("restart", False)) as kept:
        batch = Batch(yg.load(engine=FakeEngine(ANSWERS)), asked, kept, formats=formats)
        for _ in batch.run([Path(name) for name in images], **how):
            pass
        return list(write_datasets(Finished.of(Path(out), asked, kept.lines), formats))


def written(out: str) -> dict[str, bytes]:
    """Return all that a batch wrote except its lines, which hold times."""
    files = (path for path in Path(out).rglob("*") if path.is_file() and path.name != "results.jsonl")
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def coco(out: str, name: str = "1-detect") -> Any:
    return json.loads(Path(out, "coco", f"{name}.json").read_bytes())


ALL = ("photos/a.png", "photos/b.png", "photos/c.png", "photos/deep/a.png")


def test_each_task_has_a_data_set_in_the_formats_that_it_has_a_form_in(folder: Path) -> None:
    sets = run("out", ALL)
    assert [(one.path.as_posix(), one.n_images) for one in sets] == [
        ("out/coco/1-detect.json", 3),
        ("out/coco/3-detect.json", 3),
        ("out/yolo/1-detect", 3),
        ("out/yolo/3-detect", 3),
        ("out/labelme/1-detect", 3),
        ("out/labelme/3-detect", 3),
        ("out/results.csv", 4),
    ]
    first = coco("out")
    assert [image["file_name"] for image in first["images"]] == ["photos/a.png", "photos/b.png", "photos/deep/a.png"]
    assert [told["id"] for told in first["annotations"]] == [1, 2, 3, 4, 5, 6]
    assert [one["name"] for one in first["categories"]] == ["square", "lid"]
    assert [one["name"] for one in coco("out", "3-detect")["categories"]] == ["cat"]
    yolo = Path("out/yolo/1-detect")
    assert (yolo / "train.txt").read_text().splitlines() == [
        f"./images/photos/{name}.png" for name in ("a", "b", "deep/a")
    ]
    assert (yolo / "labels/photos/deep/a.txt").read_text().startswith("0 0.")
    assert json.loads(Path("out/labelme/1-detect/photos/deep/a.json").read_bytes())["imagePath"] == "a.png"


def test_a_table_has_all_tasks_and_what_failed_and_computes_nothing(folder: Path) -> None:
    run("out", ALL)
    rows = list(csv.DictReader(StringIO(Path("out/results.csv").read_text("utf-8-sig"))))
    assert [(row["task"], row["label"], row["text"]) for row in rows if row["image"] == "photos/a.png"] == [
        ("detect", "square", ""),
        ("detect", "lid", ""),
        ("describe", "", "'=A square."),
        ("detect cat", "cat", ""),
    ]
    (broken,) = (row for row in rows if row["image"] == "photos/c.png")
    assert "image" in broken["error"]


@pytest.mark.parametrize("dies_at", (0, 3))
def test_a_batch_killed_between_its_parts_and_its_line_ends_as_an_undisturbed_one(folder: Path, dies_at: int) -> None:
    run("undisturbed", ALL)
    dying = type("Dying", (DyingJournal,), {"dies_at": dies_at})
    with pytest.raises(KeyboardInterrupt):
        run("killed", ALL, dying)
    assert not Path("killed/coco").exists()
    run("killed", ALL)
    assert written("killed") == written("undisturbed")


def test_a_folder_that_has_grown_gives_the_data_sets_of_one_run_and_images_keep_their_numbers(folder: Path) -> None:
    run("once", ALL)
    run("grown", ALL[1:3])
    before = {image["file_name"]: image["id"] for image in coco("grown")["images"]}
    run("grown", ALL[::-1])
    assert written("grown") == written("once")
    after = {image["file_name"]: image["id"] for image in coco("grown")["images"]}
    assert before.items() < after.items()


def test_an_image_that_has_changed_is_replaced_and_a_repaired_one_is_added(folder: Path) -> None:
    run("out", ALL)
    Image.new("RGB", (96, 80)).save("photos/b.png")
    Image.new("RGB", (50, 50)).save("photos/c.png")
    run("out", ALL)
    run("fresh", ALL)
    assert written("out") == written("fresh")
    assert {image["file_name"]: image["width"] for image in coco("out")["images"]} == dict(
        zip(ALL, (48, 96, 50, 48), strict=True)
    )


def test_the_earlier_data_sets_stay_when_a_part_is_missing(folder: Path) -> None:
    run("out", ALL[:2])
    before = written("out")
    for part in Path("out/files").glob("b-*/1-detect.parts.jsonl"):
        part.unlink()
    with pytest.raises(InputError, match=r"files/b-.*/1-detect\.parts\.jsonl what a batch wrote for coco"):
        run("out", ALL)
    with pytest.raises(InputError, match="for yolo"):
        run_again = Finished.of(Path("out"), ASKED, lines("out"))
        list(write_datasets(run_again, ["yolo"]))
    after = written("out")
    assert {name: after[name] for name in before if not name.startswith("files")} == {
        name: data for name, data in before.items() if not name.startswith("files")
    }


def lines(out: str) -> dict[str, Any]:
    read = map(json.loads, Path(out, "results.jsonl").read_text("utf-8").splitlines())
    return {line["image"]: line for line in read}


def test_what_users_put_beside_the_labels_stays_and_all_else_is_made_again(folder: Path) -> None:
    run("out", ALL)
    Path("out/yolo/1-detect/images").symlink_to(folder, target_is_directory=True)
    Path("out/yolo/1-detect/labels/stale.txt").write_text("0 0 0 1 1\n")
    run("out", ALL)
    names = {path.name for path in Path("out/yolo/1-detect").iterdir()}
    assert names == {"images", "labels", "train.txt", "data.yaml"}
    assert not Path("out/yolo/1-detect/labels/stale.txt").exists()
    run("out", ALL[:1], restart=True, formats=("npz",))
    assert [path.relative_to("out").as_posix() for path in Path("out/yolo").rglob("*")] == [
        "yolo/1-detect",
        "yolo/1-detect/images",
    ]
    assert Path("photos/a.png").exists()
    assert not Path("out/coco").exists()
    assert not Path("out/results.csv").exists()
    Path("out/results.csv").write_text("mine")
    run("out", ALL[:1], restart=True, formats=("npz",))
    assert Path("out/results.csv").read_text() == "mine"


def test_names_of_two_images_that_share_their_labels_are_told(folder: Path) -> None:
    Image.new("RGB", (40, 40)).save("photos/a.bmp")
    sets = run("out", ["photos/a.png", "photos/a.bmp"])
    shared = [(one.path.parent.name, one.n_images, dict(one.left_out)) for one in sets if one.left_out]
    why = "it would share photos/a.{} with photos/a.bmp; rename one of them"
    assert shared == [
        (name, 1, {"photos/a.png": why.format(suffix)})
        for name, suffix in (("yolo", "txt"), ("labelme", "json"))
        for _ in range(2)
    ]
    assert len(coco("out")["images"]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="such names are none elsewhere")
def test_images_of_any_name_are_in_data_sets_and_nothing_is_written_elsewhere(folder: Path) -> None:
    names: list[str | bytes] = [
        "in/line\nend.png",
        'in/quo"te.png',
        b"in/\xff\xfe.png",
        "in/like",
        "in/like.txt/x.png",
        "../outside.png",
        "in/" + "n" * 120 + "/" + "m" * 180 + ".png",
        "in/back\\slash.png",
    ]
    pixels = Path("photos/a.png").read_bytes()
    inside = folder / "inside"
    inside.mkdir()
    os.chdir(inside)
    for name in names:
        path = Path(os.fsdecode(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixels)
    before = {path for path in folder.rglob("*") if inside / "out" not in path.parents}
    sets = run("out", [os.fsdecode(name) for name in names], asked=ASKED[:1])
    assert {path for path in folder.rglob("*") if inside / "out" not in (path, *path.parents)} == before
    told = [image["file_name"] for image in coco("out")["images"]]
    assert sorted(told) == sorted(r"in/\xff\xfe.png" if isinstance(name, bytes) else name for name in names)
    yolo = next(one for one in sets if one.path.parent.name == "yolo")
    assert {name: why.split(";")[0] for name, why in yolo.left_out} == {
        "in/line\nend.png": "a list of files cannot have a name with a line end or a backslash",
        r"in/\xff\xfe.png": "a list of files cannot have a name with a line end or a backslash",
        r"in/back\slash.png": "a list of files cannot have a name with a line end or a backslash",
        "in/like.txt/x.png": "in/like.txt/x.txt would be a file and a folder",
    }
    listed = (yolo.path / "train.txt").read_text("utf-8").splitlines()
    assert (len(listed), yolo.n_images) == (4, 4)
    assert "./images/outside.png" in listed
    for image in listed:
        assert (yolo.path / image.replace("./images/", "labels/")).with_suffix(".txt").is_file()


def test_numbers_of_images_depend_on_their_names_alone() -> None:
    names = [f"photos/{n}.jpg" for n in range(1000)]
    ids = image_ids(names)
    assert image_ids(reversed(names)) == ids
    assert list(ids) == sorted(names)
    assert all(0 < n < 1 << 52 for n in ids.values())
    assert {name: ids[name] for name in names[::7]} == {name: image_ids(names[::7])[name] for name in names[::7]}
    assert sorted(numbers_of(names[:15], bits=4).tolist()) == [*range(1, 16)]


def test_of_two_names_with_the_same_number_the_later_has_the_next_that_is_free() -> None:
    names = [f"{n:02}" for n in range(40)]
    alone = [int(numbers_of([name], bits=6)[0]) for name in names]
    expected: list[int] = []
    for first in alone:
        following = (n % 64 for n in range(first, first + 64))
        expected.append(next(n for n in following if n and n not in expected))
    assert numbers_of(names, bits=6).tolist() == expected
    assert expected != alone


@pytest.mark.parametrize(
    ("formats", "asked", "message"),
    [
        (["coco", "voc"], ["detect"], "expected formats among coco, .* got 'voc'"),
        ([""], ["detect"], "got ''"),
        (["yolo"], ["describe", "depth"], "results of describe, depth have a form in: .*ply.* got 'yolo'"),
        (["npz"], ["count cat"], "results of count have a form in: csv, txt, json; got 'npz'"),
        (["depth.png"], ["detect"], "got 'depth.png'"),
    ],
)
def test_formats_that_no_task_has_are_refused(formats: list[str], asked: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_formats(formats, questions(*asked))


def test_a_format_needs_one_task_that_has_it() -> None:
    assert checked_formats(["yolo", "ply", "yolo"], questions("detect", "depth", "ask Why?")) == ("yolo", "ply")
    assert checked_formats(["coco"], questions("count cat --by detection")) == ("coco",)


def test_a_result_that_lacks_what_a_format_needs_says_so_and_keeps_its_other_files(folder: Path) -> None:
    asked = questions("depth")
    tokens = {token: n for n, token in enumerate(BIN_TOKENS, 1)}
    with Journal(Path("out"), SETTINGS) as journal:
        model = yg.load(engine=FakeEngine(ANSWERS, vocabulary=tokens))
        batch = Batch(model, asked, journal, formats=("ply", "npz"))
        assert list(batch.run([Path("photos/a.png")])) == [Path("photos/a.png")]
    (result,) = lines("out")["photos/a.png"]["results"]
    assert [Path(file).name for file in result["files"]] == ["1-depth.npz"]
    assert "metres" in result["unwritten"]["ply"]
    assert not [*Path("out").rglob("*.ply")]
    assert (batch.tally.broken, batch.tally.named) == (1, ["photos/a.png"])
