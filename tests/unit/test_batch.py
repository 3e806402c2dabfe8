"""Batches on the fake engine: what is written, how a later run resumes, and everything that can go wrong."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from youtu_gguf.batch import FILES, Asked, Batch, Journal, find_images
from youtu_gguf.batch.image import folder_of, name_of
from youtu_gguf.batch.run import MOST_ENGINE_ERRORS
from youtu_gguf.cli.lines import parse_line
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import EngineError, InputError, ModelFileError
from youtu_gguf.facts import BIN_TOKENS
from youtu_gguf.testing import FakeEngine, FakeSession

BOX = "<box><x_8><y_8><x_32><y_32></box>"
ANSWERS = {"Describe": "A square.", "Detect all": f"<ref>square</ref>{BOX}", "How many": "no idea"}
ASKED = (Asked("describe", yg.Question("describe")), Asked("detect", yg.Question("detect", (None,))))
SETTINGS = {"tasks": ["describe", "detect"]}


class CountingEngine(FakeEngine):
    """Fails, or is interrupted, at the images whose number, in the order of opening, has an error."""

    def __init__(self, errors: Mapping[int, BaseException] | None = None) -> None:
        super().__init__(ANSWERS)
        self.opened = 0
        self.errors = dict(errors or {})

    def open(self, prefix: Prefix) -> FakeSession:
        self.opened += 1
        if self.opened in self.errors:
            raise self.errors[self.opened]
        return super().open(prefix)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Four images, the third of them broken."""
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(4):
        Image.fromarray(np.full((40, 48, 3), 40 * i, np.uint8)).save(folder / f"{i}.png")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:50])
    return sorted(folder.iterdir())


def run(out: Path, images: list[Path], engine: FakeEngine | None = None, **options: Any) -> Batch:
    with Journal(out, SETTINGS) as journal:
        batch = Batch(yg.load(engine=engine or CountingEngine()), ASKED, journal, formats=("npz", "png"))
        for _ in batch.run(images, **options):
            pass
    return batch


def counts(batch: Batch) -> tuple[int, int, int]:
    return batch.tally.done, batch.tally.skipped, batch.tally.broken


def results(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name not in ("timings", "seconds")}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def test_every_image_gets_a_line_and_files(tmp_path: Path, images: list[Path]) -> None:
    batch = run(tmp_path / "out", images)
    lines = results(tmp_path / "out")
    assert [line["image"] for line in lines] == [path.as_posix() for path in images]
    text, boxes = lines[0]["results"]
    assert (text["task"], text["text"], boxes["boxes"][0]["label"]) == ("describe", "A square.", "square")
    assert boxes["files"] == [f"files/{folder_of(images[0])}/2-detect.{suffix}" for suffix in ("npz", "png")]
    with np.load(tmp_path / "out" / boxes["files"][0]) as arrays:
        assert arrays["xyxy"].shape == (1, 4)
    with Image.open(tmp_path / "out" / boxes["files"][1]) as drawing:
        assert drawing.width >= 48
    assert counts(batch) == (4, 0, 1)


def test_a_broken_image_is_recorded_and_the_others_go_on(tmp_path: Path, images: list[Path]) -> None:
    images.insert(1, tmp_path / "gone.png")
    run(tmp_path / "out", images)
    lines = results(tmp_path / "out")
    assert ["error" in line for line in lines] == [False, True, False, True, False]
    assert lines[1]["error"]["class"] == lines[3]["error"]["class"] == "InputError"
    assert lines[1]["sha256"] is None


def test_a_question_that_fails_does_not_lose_the_others(tmp_path: Path, images: list[Path]) -> None:
    asked = (ASKED[0], Asked("count square", yg.Question("count", ("square",), {"strict": True})), ASKED[1])
    with Journal(tmp_path / "out", SETTINGS) as journal:
        batch = Batch(yg.load(engine=CountingEngine()), asked, journal)
        assert list(batch.run(images[:1])) == images[:1]
    text, count, boxes = results(tmp_path / "out")[0]["results"]
    assert (text["text"], len(boxes["boxes"])) == ("A square.", 1)
    assert (count["task"], count["error"]["class"]) == ("count square", "DecodeError")
    assert batch.tally.broken == 1


def test_tasks_of_many_steps_go_on_where_one_image_or_one_question_fails(tmp_path: Path, images: list[Path]) -> None:
    words = ("instances", "click {x}", "count cat --by detection", "depth --zoom=focal", "depth --zoom=2 --tiles=2x1")
    Image.new("RGB", (1, 1)).save(images[0])
    tokens = {token: n for n, token in enumerate(("<FG>", "<BG>", *BIN_TOKENS), 1)}
    read = [(typed, parse_line(typed)) for typed in words]
    with Journal(tmp_path / "out", {"tasks": list(words)}) as journal:
        asked = [Asked(typed, line.question, {"arguments": line.arguments}) for typed, line in read]
        batch = Batch(yg.load(engine=FakeEngine(ANSWERS, vocabulary=tokens)), asked, journal, formats=("npz", "png"))
        for _ in batch.run(images):
            pass
    failed = [[r["task"] for r in line.get("results", ()) if "error" in r] for line in results(tmp_path / "out")]
    assert failed == [[words[3], words[4]], [words[3]], [], [words[3]]]
    assert [line for line in results(tmp_path / "out") if "error" in line] == [results(tmp_path / "out")[2]]
    assert "Pass focal_px" in results(tmp_path / "out")[1]["results"][3]["error"]["message"]
    assert batch.tally.done == 4


def test_counts_of_boxes_and_actions_have_files_even_without_a_point(tmp_path: Path, images: list[Path]) -> None:
    asked = [
        Asked(words, parse_line(words).question)
        for words in ("count square --by detection", "click the menu", "count square")
    ]
    with Journal(tmp_path / "out", SETTINGS) as journal:
        model = yg.load(engine=FakeEngine({"classes: square": BOX, "How many": "3"}))
        list(Batch(model, asked, journal, formats=("npz", "png")).run(images[:1]))
    counted, action, answered = results(tmp_path / "out")[0]["results"]
    assert (counted["count"], len(counted["boxes"]), len(counted["files"])) == (1, 1, 2)
    assert (action["action"], action["xy"], len(action["files"])) == ("", None, 2)
    assert (answered["count"], "files" in answered) == (3, False)


def test_what_is_finished_is_not_asked_again(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images[:2])
    engine = CountingEngine()
    batch = run(tmp_path / "out", images, engine)
    assert engine.opened == 1  # the broken one is not even opened
    assert counts(batch) == (2, 2, 1)
    again = run(tmp_path / "out", images, engine)
    assert engine.opened == 1
    assert counts(again) == (0, 4, 1)


def test_an_image_is_read_once_whether_it_is_asked_or_skipped(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    open_path = Path.open

    def counted(path: Path, *arguments: Any, **options: Any) -> Any:
        opened.append(path)
        return open_path(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", counted)
    for _ in ("asked", "skipped"):
        opened.clear()
        run(tmp_path / "out", images)
        assert [path for path in opened if path in images] == images


def test_an_image_with_other_bytes_is_done_again(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images)
    Image.fromarray(np.full((64, 32, 3), 7, np.uint8)).save(images[0])
    engine = CountingEngine()
    run(tmp_path / "out", images, engine)
    assert engine.opened == 1
    lines = results(tmp_path / "out")
    assert len(lines) == 4
    assert lines[-1]["image"] == images[0].as_posix()
    assert lines[-1]["size"] == [32, 64]


def test_retry_asks_broken_images_again(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images, CountingEngine({1: EngineError("no memory")}))
    batch = run(tmp_path / "out", images, retry=True)
    assert counts(batch) == (2, 2, 1)
    assert sorted("error" in line for line in results(tmp_path / "out")) == [False, False, False, True]


def test_a_half_written_line_is_done_again(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images)
    whole = (tmp_path / "out" / "results.jsonl").read_bytes()
    (tmp_path / "out" / "results.jsonl").write_bytes(whole[:-20])
    engine = CountingEngine()
    run(tmp_path / "out", images, engine)
    assert engine.opened == 1
    assert timeless(results(tmp_path / "out")) == timeless([json.loads(line) for line in whole.splitlines()])


def test_an_interruption_loses_the_image_in_hand_only(tmp_path: Path, images: list[Path]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", images, CountingEngine({2: KeyboardInterrupt()}))
    assert len(results(tmp_path / "out")) == 1
    run(tmp_path / "out", images)
    run(tmp_path / "undisturbed", images)
    assert timeless(results(tmp_path / "out")) == timeless(results(tmp_path / "undisturbed"))
    found, expected = (sorted(files(tmp_path / name)) for name in ("out", "undisturbed"))
    assert found == expected


def files(out: Path) -> Iterator[tuple[str, bytes]]:
    for path in (out / "files").rglob("*.*"):
        yield str(path.relative_to(out)), path.read_bytes()


def test_an_engine_that_keeps_failing_ends_the_batch(tmp_path: Path, images: list[Path]) -> None:
    failing = CountingEngine({n: EngineError("the device is gone") for n in range(1, 9)})
    good = [path for path in images if path.name != "2.png"] * 2
    with pytest.raises(EngineError, match=r"3 images in a row.*--retry"):
        run(tmp_path / "out", list(dict.fromkeys(good)), failing)
    assert failing.opened == MOST_ENGINE_ERRORS == len(results(tmp_path / "out"))


def test_an_error_of_the_model_ends_the_batch_without_a_line(tmp_path: Path, images: list[Path]) -> None:
    with pytest.raises(ModelFileError):
        run(tmp_path / "out", images, CountingEngine({1: ModelFileError("no such token")}))
    assert not (tmp_path / "out" / "results.jsonl").exists()


def test_other_settings_are_refused_and_restart_deletes_only_what_a_batch_wrote(
    tmp_path: Path, images: list[Path]
) -> None:
    out = tmp_path / "out"
    run(out, images)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"tasks: .*'detect'\] before, \['depth'\] now.*--restart"):
        Journal(out, {"tasks": ["depth"]})
    Journal(out, {"tasks": ["depth"]}, restart=True).close()
    assert sorted(path.name for path in out.iterdir()) == ["notes.txt", "settings.json"]


def test_a_folder_serves_one_batch_at_a_time(tmp_path: Path) -> None:
    with Journal(tmp_path, SETTINGS), pytest.raises(InputError, match="another batch"):
        Journal(tmp_path, SETTINGS)
    Journal(tmp_path, SETTINGS).close()


@pytest.mark.parametrize("damage", ["settings", "results", "alone"])
def test_foreign_or_damaged_files_are_named(tmp_path: Path, images: list[Path], damage: str) -> None:
    run(tmp_path, images)
    if damage == "settings":
        (tmp_path / "settings.json").write_text("{")
    elif damage == "results":
        (tmp_path / "results.jsonl").write_text('{"of": "another program"}\n')
    else:
        (tmp_path / "settings.json").unlink()
    with pytest.raises(InputError, match=r"results\.jsonl|settings\.json"):
        Journal(tmp_path, SETTINGS)


def test_equal_names_in_other_folders_have_files_of_their_own() -> None:
    assert folder_of(Path("a/cat.png")) != folder_of(Path("b/cat.png"))
    assert folder_of(Path("a/. ä/?.png")).startswith("_-")


def test_images_are_found_in_folders_patterns_and_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.PNG", "a.jpg", "notes.txt", ".hidden.png", "deep/c.webp", ".cache/d.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    Path("list").write_text("# mine\nb.PNG\n\ndeep\n")
    assert find_images(["."]) == [Path("a.jpg"), Path("b.PNG"), Path("deep/c.webp")]
    assert find_images(["*.jpg", "a.jpg", "b.PNG"]) == [Path("a.jpg"), Path("b.PNG")]
    assert find_images(["@list", "gone.png"]) == [Path("b.PNG"), Path("deep/c.webp"), Path("gone.png")]


@pytest.mark.parametrize("named", [["empty"], ["*.gif"], ["@gone"], ["@empty-list"]])
def test_nothing_to_do_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("empty-list").touch()
    with pytest.raises(InputError, match="expected"):
        find_images(named)


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="file names are Unicode there")
def test_names_that_are_not_text_stay_distinct_and_an_impossible_name_is_recorded(
    tmp_path: Path, images: list[Path]
) -> None:
    strange = [images[0].with_name(os.fsdecode(name)) for name in (b"a\xff.png", b"a\xfe.png")]
    for path, source in zip(strange, images[:2], strict=True):
        path.write_bytes(source.read_bytes())
    named = [*strange, Path("no\0name.png"), images[3]]
    assert run(tmp_path / "out", named).tally.broken == 1
    assert [line["image"][-10:] for line in results(tmp_path / "out")[:2]] == ["/a\\xff.png", "/a\\xfe.png"]
    assert "null byte" in results(tmp_path / "out")[2]["error"]["message"]
    assert run(tmp_path / "out", named).tally.skipped == 4


def test_retry_forgets_no_image_that_is_not_asked_again(tmp_path: Path, images: list[Path]) -> None:
    run(tmp_path / "out", images)
    run(tmp_path / "out", images[:2], retry=True)
    assert [line["image"] for line in results(tmp_path / "out")] == [name_of(path) for path in images]


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path, images: list[Path]) -> None:
    out = tmp_path / "out"
    left = out / FILES / folder_of(images[0]) / ".1-detect.npz.a1b2"
    left.parent.mkdir(parents=True)
    left.touch()
    (out / ".results.jsonl.a1b2").touch()
    run(out, images)
    run(tmp_path / "undisturbed", images)
    found, expected = (
        sorted(path.relative_to(top) for path in top.rglob("*")) for top in (out, tmp_path / "undisturbed")
    )
    assert found == expected


def test_restart_spares_files_that_no_batch_wrote(tmp_path: Path, images: list[Path]) -> None:
    out = tmp_path / "out"
    mine = out / FILES / "holiday-20240101" / "beach.png"
    run(out, images)
    mine.parent.mkdir()
    mine.touch()
    Journal(out, SETTINGS, restart=True).close()
    assert [path for path in (out / FILES).rglob("*") if path.is_file()] == [mine]


def test_drawings_of_results_are_not_taken_as_images(tmp_path: Path, images: list[Path]) -> None:
    out = images[0].parent / "out"
    run(out, images)
    assert list(out.rglob("*.png"))
    for named in (str(images[0].parent), f"{images[0].parent}/**/*.png"):
        assert sorted(find_images([named], leave_out=[out / FILES])) == images


@pytest.mark.parametrize(
    ("name", "text"), [("settings.json", "[1]"), ("results.jsonl", '{"image": "a"}\n'), ("results.jsonl", None)]
)
def test_files_of_another_shape_are_named(tmp_path: Path, name: str, text: str | None) -> None:
    Journal(tmp_path, SETTINGS).close()
    if text is None:
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        Journal(tmp_path, SETTINGS)
