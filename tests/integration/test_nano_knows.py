"""What the small model that ships knows beside whole scenes in English, and that it says what it does not know."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import youtu_gguf as yg
from scripts.nano.evaluate import evaluate_abilities
from scripts.nano.lessons import REFUSAL
from scripts.nano.other_images import held_out

SEES = {
    "detect_asked_ap50": 0.5, "instances_ap50": 0.5, "refused": 0.8, "zh_refused": 0.8,
    "zh_segment_all_miou": 0.8, "zh_detect_ap50": 0.5, "zh_ground_acc50": 0.7, "zh_count_exact": 0.6,
    "zh_classify_accuracy": 0.75, "zh_ocr_exact": 0.6, "zh_describe_f1": 0.5,
}  # fmt: skip
"""Below what 300 scenes give (docs/benchmarks.md): a dozen scenes scatter."""


@pytest.fixture(scope="module")
def nano() -> Iterator[yg.Model]:
    with yg.load("nano", threads=1, max_tokens=400) as model:
        yield model


def test_it_knows_class_lists_chinese_and_photographs(nano: yg.Model) -> None:
    figures = evaluate_abilities(nano, 12, groups=("asked", "chinese", "strangers"))
    assert figures.keys() >= SEES.keys()
    assert {name: figures[name] for name, floor in SEES.items() if figures[name] < floor} == {}


def test_it_answers_follow_up_questions_and_clicks_better_than_by_chance(nano: yg.Model) -> None:
    figures = evaluate_abilities(nano, 40, groups=("turns", "screens"))
    assert figures["chat_exact"] > 0.3  # of a number from 0 to 3, a colour, or yes and no
    assert figures["click_accuracy"] > 0.4  # of about seven elements; three of a kind
    assert figures["screen_ground_acc50"] > 0.4


def test_the_command_line_describes_a_photograph_in_one_sentence(tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    Image.fromarray(next(held_out(1))).save(photo)
    command = [sys.executable, "-m", "youtu_gguf", "describe", photo, "--model", "nano", "--threads", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == REFUSAL["en"]
