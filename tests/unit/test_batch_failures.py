"""What ends a batch, and what is only an image's: engines that fail, disks and folders that cannot be written."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from tests.pictures import write_images
from tests.unit.test_batch import ASKED, SETTINGS, CountingEngine, results, run
from youtu_gguf.batch import Asked, Batch, Journal, settings_of
from youtu_gguf.batch.image import OF_THE_IMAGE, RECORDED
from youtu_gguf.calibration import Calibration
from youtu_gguf.engines.http.transport import NotSentError, RefusedError
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.testing import FakeEngine


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "images", range(0, 240, 30))


@pytest.mark.parametrize(
    "error",
    [
        yg.EngineError("the device is gone"),
        yg.ServerError("it has fallen silent"),
        NotSentError("it cannot be reached"),
        RefusedError("http://server/v1", 400, "no"),
    ],
)
def test_any_error_of_the_engine_ends_the_batch_when_it_keeps_coming(
    tmp_path: Path, images: list[Path], error: yg.YoutuError
) -> None:
    for broken in images[::2]:  # images that never reach the engine say nothing about it
        broken.write_bytes(b"nothing")
    with pytest.raises(yg.EngineError, match="3 images in a row"):
        run(tmp_path / "out", images, CountingEngine(dict.fromkeys(range(1, 9), error)))
    assert len(results(tmp_path / "out")) == 6


def test_an_answer_in_between_shows_that_the_engine_works(tmp_path: Path, images: list[Path]) -> None:
    failing = CountingEngine({n: yg.EngineError("too large") for n in (1, 2, 4, 5, 7, 8)})
    assert run(tmp_path / "out", images, failing).tally.broken == 6


def test_errors_that_are_recorded_are_those_of_images_and_of_engines() -> None:
    assert set(RECORDED) == {*OF_THE_IMAGE, yg.EngineError}
    for other in (yg.OutputError, yg.CapabilityError, yg.ModelFileError):
        assert not issubclass(other, RECORDED)


def a_file_in_the_way(out: Path) -> None:
    (out / "files").touch()


def deleted(out: Path) -> None:
    shutil.rmtree(out)


def moved(out: Path) -> None:
    out.rename(out.with_name("elsewhere"))


@pytest.mark.parametrize("spoil", [a_file_in_the_way, deleted, moved])
def test_a_place_that_cannot_be_written_ends_the_batch_at_once(
    tmp_path: Path, images: list[Path], spoil: Callable[[Path], None]
) -> None:
    out, engine = tmp_path / "out", CountingEngine()
    with Journal(out, SETTINGS) as journal:
        running = Batch(yg.load(engine=engine), ASKED, journal).run(images)
        if spoil is a_file_in_the_way:
            spoil(out)
        else:
            next(running)
            spoil(out)
        with pytest.raises(yg.OutputError, match=r"expected to write|was moved|cannot write"):
            list(running)
    assert engine.opened <= 2
    assert out.exists() == (spoil is a_file_in_the_way)


def test_results_that_were_replaced_are_not_added_to(tmp_path: Path, images: list[Path]) -> None:
    with Journal(tmp_path / "out", SETTINGS) as journal:
        running = Batch(yg.load(engine=CountingEngine()), ASKED, journal).run(images)
        next(running)
        file = tmp_path / "out" / "results.jsonl"
        file.rename(file.with_name("kept"))
        file.write_text("mine\n")
        with pytest.raises(yg.OutputError, match="moved or replaced"):
            next(running)
    assert file.read_text() == "mine\n"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_full_disk_ends_the_batch_and_the_next_run_resumes(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    out = tmp_path / "out"
    run(out, images[:2])
    before = (out / "results.jsonl").read_bytes()
    with monkeypatch.context() as patch, Journal(out, SETTINGS) as journal:

        def full(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        patch.setattr("youtu_gguf.batch.journal.os.fsync", full)
        with pytest.raises(yg.OutputError, match=rf"cannot write .*results.jsonl: {os.strerror(code)}.*run the same"):
            list(Batch(yg.load(engine=CountingEngine()), ASKED, journal, formats=()).run(images))
    assert (out / "results.jsonl").read_bytes() == before
    assert not (out / "begun.json").exists()
    batch = run(out, images)
    assert (batch.tally.skipped, batch.tally.done) == (2, 6)


def test_half_a_line_is_cut_off_without_room_for_another_copy(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "out", images)
    file = tmp_path / "out" / "results.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:40])

    def full(*_: object) -> None:
        raise AssertionError("a copy")

    monkeypatch.setattr("youtu_gguf.batch.journal.write_bytes", full)
    Journal(tmp_path / "out", SETTINGS).close()
    assert file.read_bytes() == whole


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_somebody_else_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    with pytest.raises(yg.OutputError, match="expected to write"):
        Journal(tmp_path / "out", SETTINGS)


@pytest.mark.parametrize("moment", ["begin", "_note", "add", "clear_files"])
def test_an_interruption_at_any_moment_blames_no_image(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Ctrl-C may come right after any step; an image that a killed run began stays suspect, no other becomes it."""
    out = tmp_path / "out"
    run(out, images[:2])
    (out / "begun.json").write_text(suspects := json.dumps({images[-1].as_posix(): 1}))
    step, interrupts = getattr(Journal, moment), iter([KeyboardInterrupt])

    def interrupted(journal: Journal, *args: object) -> None:
        step(journal, *args)
        for interrupt in interrupts:
            raise interrupt

    monkeypatch.setattr(Journal, moment, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(out, images)
    assert (out / "begun.json").read_text() == suspects
    assert run(out, images).tally.skipped >= 2
    assert not (out / "begun.json").exists()


@pytest.mark.parametrize("text", ["", "[1]", '{"images/0.png": ', '{"a": -1, "b": "c"}'])
def test_a_damaged_note_of_what_was_begun_is_as_none(tmp_path: Path, images: list[Path], text: str) -> None:
    Journal(tmp_path / "out", SETTINGS).close()
    (tmp_path / "out" / "begun.json").write_text(text)
    assert run(tmp_path / "out", images).tally.done == len(images)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_is_no_image(tmp_path: Path, images: list[Path]) -> None:
    os.mkfifo(tmp_path / "pipe")
    batch = run(tmp_path / "out", [tmp_path / "pipe", *images])
    assert (batch.tally.done, batch.tally.broken) == (9, 1)
    assert "pipe or a device" in results(tmp_path / "out")[0]["error"]["message"]


def settings(
    files: Pair, calibration: Calibration | None = None, asked: tuple[Asked, ...] = ASKED
) -> dict[str, object]:
    pair = check_pair(*files)
    model = yg.Model(FakeEngine(), yg.load(engine=FakeEngine()).settings, calibration or Calibration(), pair=pair)
    return settings_of(model, asked, {}, ("npz",))


def test_the_same_weights_by_another_name_are_the_same_model(tiny_pair: Pair, tmp_path: Path) -> None:
    renamed = [Path(shutil.copy(path, tmp_path / f"{path.stem}-b.gguf")) for path in tiny_pair]
    Journal(tmp_path / "out", settings(tiny_pair)).close()
    Journal(tmp_path / "out", settings((renamed[0], renamed[1]))).close()


def test_other_weights_of_the_same_name_and_size_are_another_model(tiny_pair: Pair, tmp_path: Path) -> None:
    copies = [Path(shutil.copy(path, tmp_path)) for path in tiny_pair]
    Journal(tmp_path / "out", settings((copies[0], copies[1]))).close()
    data = bytearray(copies[0].read_bytes())
    data[-100] ^= 1
    copies[0].write_bytes(data)
    with pytest.raises(yg.InputError, match=r"other settings \(model\.fingerprint: "):
        Journal(tmp_path / "out", settings((copies[0], copies[1])))


def test_another_calibration_is_another_setting(tiny_pair: Pair, tmp_path: Path) -> None:
    Journal(tmp_path / "out", settings(tiny_pair)).close()
    with pytest.raises(yg.InputError, match=r"other settings \(calibration\.[a-z_]+: False before, True now\)"):
        Journal(tmp_path / "out", settings(tiny_pair, Calibration(leading_space=True)))


def test_a_folder_of_an_older_version_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text('{"schema": 1, "model": {"nano.gguf": 12345}}')
    with pytest.raises(yg.InputError, match=r"another version of this package.*--restart"):
        Journal(tmp_path, SETTINGS)
