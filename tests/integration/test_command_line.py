"""The command as users run it, on photographs, with the tiny random pair.

Text and a drawing come from a process of its own, and so does what depends on one. All else runs in this process, where
a command takes a fifth of a second and not a whole one.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.cli.main import app
from youtu_gguf.weights.synthetic.pair import SIZES, write_synthetic_pair

TASKS: dict[str, list[str]] = {
    "describe": [],
    "ask": ["What is it?"],
    "reason": ["Is it asleep?"],
    "ocr": [],
    "classify": [],
    "count": ["cat"],
    "ground": ["the cat"],
    "detect": ["cat", "sky", "--zoom", "1,1.25"],
    "polygon": ["the cat"],
    "refer": ["--box", "100", "80", "200", "180", "--crop-size", "160"],
    "instances": ["cat", "sky", "--limit", "2", "--crop-size", "160"],
    "pose": ["--zoom", "1.5"],
    "segment": ["cat", "sky", "--present", "all", "--background"],
    "depth": [],
    "click": ["wake the cat"],
}

APART = ("describe", "segment")
"""Tasks that run in a process of their own too: one in words, one with a drawing."""


def run(*arguments: str | Path, model: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "YOUTU_GGUF_MODEL"}
    if model is not None:
        environment["YOUTU_GGUF_MODEL"] = str(model)
    command = [sys.executable, "-m", "youtu_gguf", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment, check=False)


def run_here(*arguments: str | Path, model: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in this process."""
    named = None if model is None else str(model)
    done = CliRunner().invoke(app, [*map(str, arguments)], env={"YOUTU_GGUF_MODEL": named})
    return subprocess.CompletedProcess([*arguments], done.exit_code, done.stdout, done.stderr)


SMALL = ("--max-tokens", "12", "--threads", "1", "--n-ctx", "2048")


@pytest.mark.parametrize("photograph", ["astronaut", "cat", "rocket"])
@pytest.mark.parametrize("task", TASKS)
def test_every_task_runs_on_every_photograph(
    task: str, photograph: str, photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    suffix = "txt" if task in ("describe", "ask", "reason", "ocr", "classify", "count") else "png"
    output = tmp_path / f"result.{suffix}"
    start = run if photograph == "cat" and task in APART else run_here
    done = start(task, photographs[photograph], *TASKS[task], "--json", "-o", output, *SMALL, model=tiny_pair[0])
    assert done.returncode == 0, done.stderr
    form = json.loads(done.stdout)
    assert form["task"] == task
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    if suffix == "png":
        with Image.open(output) as drawing, Image.open(photographs[photograph]) as source:
            upright = source.size if photograph != "rocket" else source.size[::-1]
            assert drawing.width == upright[0]
            assert drawing.height >= upright[1]
    else:
        words = form["text"] if task != "count" else str(form["count"] or "")
        assert output.read_text(encoding="utf-8").strip() == words


def test_a_count_by_detection_has_a_drawing_and_arrays(
    photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    drawn, arrays = tmp_path / "count.png", tmp_path / "count.npz"
    options = ("--by", "detection", "--json", "-o", drawn, "--npz", arrays, *SMALL)
    done = run_here("count", photographs["cat"], "cat", *options, model=tiny_pair[0])
    assert done.returncode == 0, done.stderr
    form = json.loads(done.stdout)
    with np.load(arrays) as stored:
        assert form["count"] == len(form["boxes"]) == len(stored["xyxy"])
    with Image.open(drawn) as image:
        assert image.size == (451, 300)


def test_arrays_of_a_label_map_are_written(photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path) -> None:
    arrays = tmp_path / "labels.npz"
    options = ("--present", "all", "--npz", arrays, *SMALL)
    done = run_here("segment", photographs["cat"], "cat", "sky", *options, model=tiny_pair[0])
    assert done.returncode == 0, done.stderr
    with np.load(arrays, allow_pickle=False) as stored:
        assert stored["ids"].shape == (300, 451)
        assert stored["classes"].tolist() == ["cat", "sky"]
    assert "%  cat" in done.stdout
    assert done.stderr == ""


def test_maps_are_made_from_tiles_of_a_larger_image(
    photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    arrays = tmp_path / "maps.npz"
    closer = ("--zoom", "2", "--tiles", "2x1", "--npz", arrays, "--json", *SMALL)
    segment = ("segment", photographs["cat"], "cat", "sky", "--present", "all")
    for command, name in ((segment, "ids"), (("depth", photographs["cat"], "--scale", "nyuv2"), "values")):
        done = run_here(*command, *closer, model=tiny_pair[0])
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["timings"]["n_image_tokens"] == 29 * 19
        with np.load(arrays) as stored:
            assert stored[name].shape == (300, 451)


def test_the_focal_length_of_a_file_makes_metres_unless_it_is_called_unknown(
    photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 35
    with Image.open(photographs["cat"]) as image:
        image.convert("RGB").save(tmp_path / "cat.jpg", exif=exif)
    for options, unit, focal_px in (
        ((), "m", 438.17),
        (("--zoom", "focal", "--image-max-tokens", "512"), "m", 438.17),
        (("--focal-px", "500"), "m", 500),
        (("--focal-px", "unknown"), "relative", None),
    ):
        done = run_here("depth", tmp_path / "cat.jpg", *options, "--json", *SMALL, model=tiny_pair[0])
        assert done.returncode == 0, done.stderr
        form = json.loads(done.stdout)
        assert (form["unit"], form["focal_px"]) == (unit, focal_px)


def test_a_file_name_may_have_bytes_that_are_not_unicode(
    photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(name)).write_bytes(photographs["cat"].read_bytes())
    done = run("depth", os.fsdecode(name), "--json", *SMALL, model=tiny_pair[0])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["image"].endswith("caf\ufffd.png")


def test_a_folder_with_the_pair_is_a_model(photographs: dict[str, Path], tiny_pair: Pair) -> None:
    done = run_here("depth", photographs["cat"], "-m", tiny_pair[0].parent, *SMALL)
    assert done.returncode == 0, done.stderr
    assert "(relative)" in done.stdout


def test_synth_writes_a_pair_that_answers(photographs: dict[str, Path], tmp_path: Path) -> None:
    written = run("synth", tmp_path, "--quant", "F32", "--seed", "5")
    assert written.returncode == 0, written.stderr
    model, mmproj = written.stdout.split()
    done = run("ask", photographs["cat"], "What?", "-m", model, "--mmproj", mmproj, *SMALL)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wrong_files(tiny_pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files that must be refused, by what is wrong with them."""
    folder = tmp_path_factory.mktemp("wrong")
    model = tiny_pair[0].read_bytes()
    files = {
        "text": b"Dear Sir or Madam\n",
        "truncated": model[: len(model) // 2],
        "cut header": model[:3000],
        "other architecture": model.replace(b"deepseek2", b"deepseek3"),
    }
    paths = {}
    for name, content in files.items():
        paths[name] = folder / f"{name}.gguf"
        paths[name].write_bytes(content)
    return paths


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "GGUF"),
        ("truncated", "truncated"),
        ("cut header", "Download it again"),
        ("other architecture", "deepseek2"),
    ],
)
def test_wrong_model_file_ends_with_code_3_and_one_message(
    name: str, message: str, wrong_files: dict[str, Path], photographs: dict[str, Path], tiny_pair: Pair
) -> None:
    done = run_here("depth", photographs["cat"], "-m", wrong_files[name], "--mmproj", tiny_pair[1])
    assert_refused(done, 3, message)


def test_swapped_files_are_named_as_such(photographs: dict[str, Path], tiny_pair: Pair) -> None:
    done = run("depth", photographs["cat"], "-m", tiny_pair[1], "--mmproj", tiny_pair[0])
    assert_refused(done, 3, "swapped")


def test_projector_of_another_width_is_refused(photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path) -> None:
    from dataclasses import replace

    tiny = SIZES["tiny"]
    wide = replace(tiny, language=replace(tiny.language, n_embd=96))
    _, mmproj = write_synthetic_pair(tmp_path, wide)
    done = run_here("depth", photographs["cat"], "-m", tiny_pair[0], "--mmproj", mmproj)
    assert_refused(done, 3, "width 64")


def test_depth_files_state_the_focal_length_that_was_typed_for_them(
    photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    typed = ("--scale", "nyuv2", "--camera-px", "321.5", "-m", tiny_pair[0], "--mmproj", tiny_pair[1], *SMALL)
    done = run_here("depth", photographs["cat"], "-o", tmp_path / "cat.depth.png", *typed)
    assert done.returncode == 0, done.stderr
    beside = json.loads((tmp_path / "cat.depth.json").read_text("utf-8"))
    assert (beside["fx"], beside["focal_from"], beside["unit"]) == (321.5, "given", "m")


def test_vocabulary_without_the_tokens_of_a_task_is_refused(
    photographs: dict[str, Path], tiny_pair: Pair, tmp_path: Path
) -> None:
    model = tmp_path / "model.gguf"
    content = tiny_pair[0].read_bytes()
    model.write_bytes(content.replace(b"<custom_1000>", b"<kustom_1000>").replace(b"<x_2047>", b"<k_2047>"))
    for task, query in (("depth", []), ("ground", ["cat"])):
        done = run_here(task, photographs["cat"], *query, "-m", model, "--mmproj", tiny_pair[1])
        assert_refused(done, 3, "vocabulary lacks")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ground", "/nowhere/image.png", "cat"], "does not exist"),
        (["ground", "{text}", "cat"], "not one that Pillow can read"),
        (["segment", "{cat}", " ", "--present", "all"], "must be words"),
        (["depth", "{cat}", "--n-ctx", "64"], "Raise n_ctx or lower image_max_tokens"),
        (
            ["depth", "{cat}", "-o", "depth.jpg"],
            "depth writes .json, .npz, .png, .depth.png, .ply, .pfm, .exr, .ros.png, .kitti.png, .tum.png, .f32; got",
        ),
        (
            ["detect", "{cat}", "-o", "cars.depth.png"],
            "detect writes .json, .npz, .png, .coco.json, .labelme.json, .yolo.zip, .label_studio.json, .cvat.xml",
        ),
        (["depth", "{cat}", "-o", "/nowhere/depth.png"], "does not exist"),
        (["depth", "{cat}", "-o", "{cat}"], "would be written over the image itself"),
        (["click", "{cat}", "wake it", "--npz", "{cat}"], "an .npz file holds arrays; got --npz"),
        (["click", "{cat}", "wake it", "-o", "click.txt"], "click writes .json, .npz, .png, .csv; got"),
        (["instances", "{cat}", "-o", "found.jpg"], "instances writes .json, .npz, .png, .index.png, .coco.json"),
        (["reason", "{cat}", "why", "-o", "why.png"], "reason writes .txt, .json, .csv; got"),
        (["detect", "{cat}", "--zoom", "1,"], "from 1 to 4, auto, auto:2 or auto:3; got ''"),
        (["depth", "{cat}", "--zoom", "0"], "zoom must be a number from 1 to 4"),
        (["instances", "{cat}", "--padding", "1e308"], "padding must be a number from 1, the box itself, to 1,000,000"),
        (["batch", "{cat}", "-t", "depth --zoom=0", "-o", "nowhere"], "zoom must be a number from 1 to 4"),
        (["ask", "{cat}", "why", "--npz", "x.npz"], "gives text"),
        (["count", "{cat}", "cat", "-o", "cat.png"], "count writes .txt, .json, .csv; got"),
        (
            ["count", "{cat}", "cat", "--by", "detection", "-o", "cat.f32"],
            "count writes .txt, .json, .npz, .png, .coco.json",
        ),
        (["depth", "{cat}", "--scale", "nyuv2", "--focal-px", "500"], "metres already"),
        (["depth", "{cat}", "--scale", "nyuv2", "-o", "x.ply", "--camera-px", "guess"], "or \"assumed\"; got 'guess'"),
        (["depth", "{cat}", "--scale", "nyuv2", "-o", "x.ply", "--camera-px", "0"], "must be positive"),
        (
            ["depth", "{cat}", "--focal-px", "-3"],
            "must be positive, in pixels of the source image, up to 1,000,000; got -3.0",
        ),
        (["depth", "{cat}", "--focal-px", "1e300"], "up to 1,000,000; got 1e+300"),
        (["segment", "{cat}", "a" * 100_000, "--present", "all"], "1000 letters in a row; got 100000"),
        (["ask", "{cat}", "why " + "?" * 100_000 + " now"], "1000 signs in a row; got 100000"),
        (["depth", "{cat}", "--scale", "moon"], "moon"),
        (["refer", "{cat}"], "refer needs one of a phrase, a box and a point; got none"),
        (["refer", "{cat}", "--box", "5", "5", "5", "9"], "left < right"),
        (["segment", "{cat}", "sky", "cat", "--background", "--refine", "guided"], "with background is not refined"),
        (["segment", "{cat}", "--present", "all"], 'present="all" needs the classes that are there; got none'),
        (["segment", "{cat}", "sky", "--zoom", "big"], "from 1 to 4, auto, auto:2 or auto:3; got 'big'"),
        (["segment", "{cat}", "sky", "--zoom", "5"], "zoom must be a number from 1 to 4"),
        (["segment", "{cat}", "sky", "--tiles", "2"], "tiles must be columns and rows, as 2x2; got '2'"),
        (["segment", "{cat}", "sky", "--tiles", "0x2"], "two positive whole numbers"),
        (["depth", "{cat}", "--tiles", "40x1"], "40x1 tiles of 15x10 tokens"),
        (["depth", "{cat}", "--zoom", "4", "--image-max-tokens", "150"], "takes 2,166 image tokens at a time"),
        (["depth", "{cat}", "--zoom", "focal"], "the image's file tells of none. Pass focal_px"),
        (["depth", "{cat}", "--focal-px", "long"], "must be pixels of the image, unknown or assumed; got 'long'"),
        (["detect", "{cat}", "--max-tokens", "0"], "max_tokens"),
        (["detect", "{cat}", "--zoom", "1,large"], "from 1 to 4, auto, auto:2 or auto:3; got 'large'"),
        (["pose", "{cat}", "--zoom", "9"], "zoom must be a number from 1 to 4"),
        (["instances", "{cat}", "--limit", "0"], "limit must be a whole number"),
    ],
)
def test_callers_mistake_ends_with_code_2_and_one_message(
    arguments: list[str], message: str, wrong_files: dict[str, Path], photographs: dict[str, Path], tiny_pair: Pair
) -> None:
    filled = [a.format(cat=photographs["cat"], text=wrong_files["text"]) for a in arguments]
    assert_refused(run_here(*filled, model=tiny_pair[0]), 2, message)


def test_callers_mistake_ends_a_process_with_code_2_and_one_message(tiny_pair: Pair) -> None:
    assert_refused(run("ground", "/nowhere/image.png", "cat", model=tiny_pair[0]), 2, "does not exist")


def test_flawed_answer_ends_with_code_5_when_strict(photographs: dict[str, Path], tiny_pair: Pair) -> None:
    done = run_here("ground", photographs["cat"], "the cat", "--strict", *SMALL, model=tiny_pair[0])
    assert_refused(done, 5, "flawless")


def test_version_is_the_packages() -> None:
    assert run("--version").stdout.strip() == yg.__version__


def test_reader_that_leaves_early_ends_the_command_quietly(photographs: dict[str, Path], tiny_pair: Pair) -> None:
    words = ("-m", "youtu_gguf", "detect", photographs["cat"], "--json", "-q", "-m", tiny_pair[0], *SMALL)
    command = f"{shlex.join(map(str, (sys.executable, *words)))} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=600, check=False)
    assert done.stderr == ""


def assert_refused(done: subprocess.CompletedProcess[str], code: int, message: str) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
