"""Conversations on the fake engine: every command, every mistake, and Ctrl-C."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import youtu_gguf as yg
from tests.chats import start_chat, write_image
from youtu_gguf.cli.chat import Conversation
from youtu_gguf.cli.chat_commands import COMMANDS, help_text
from youtu_gguf.cli.progress import Displays
from youtu_gguf.tasks import TASKS
from youtu_gguf.testing import FakeEngine

HEAD = np.zeros((1005, 3), np.float32)
HEAD[:5] = [[0, 0, 0], [4, 0, 0], [-4, 0, 0], [4, 0, 0], [-4, 0, 0]]
HEAD[504] = [0, 0, -1]  # <custom_500> is the likeliest depth wherever there is no blue
WORDS = {"red": 1, "black": 2, "<FG>": 3, "<BG>": 4} | {f"<custom_{n}>": 4 + n for n in range(1, 1001)}
BOX = "<box><x_64><y_0><x_128><y_64></box>"
ANSWERS = {
    "What is it?": "A small red square.",
    "Describe": "Black, then red.",
    "Read the text": "STOP",
    "category of the primary object": "square",
    "How many dogs": "3",
    "in these classes: square": BOX,
    "Is it red?\nThink step-by-step.": "It has red in it. So yes.",
    "sentence describes: the square": BOX,
    "Detect all objects in the provided image": f"<ref>square</ref>{BOX}",
    "in these classes: square, cup": f"<ref>cup</ref>{BOX}",
    "Segment all": "include <ref>red</ref><ref>black</ref>",
    'segment "the square"': "<ins><poly><x_64><y_0><x_128><y_0><x_128><y_64></poly></ins>",
    "MPII": f"<person>{BOX}{'<kpt><x_70><y_20><v_1.0></kpt>' * 16}</person>",
    "Segment: black, red, without": "include <ref>red</ref>, numbered",
    "press the square": '{"name":"computer_use","arguments":{"action":"left_click","coordinate":[96,32]}}',
    "long": "one two three four five six",
    "several": f"{BOX} <box><x_0><y_0><x_64><y_64></box> <box><x_0><y_0><x_32><y_32></box>",
}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return write_image(tmp_path)


def start(image: Path, engine: FakeEngine | None = None, **options: bool) -> Conversation:
    return start_chat(image, engine or FakeEngine(ANSWERS, head=HEAD, vocabulary=WORDS), **options)


@pytest.mark.parametrize(
    ("line", "printed"),
    [
        ("What is it?", "A small red square.\n"),
        ("  What is it?  \n", "A small red square.\n"),
        ("/describe", "Black, then red.\n"),
        ("/ocr", "STOP\n"),
        ("/classify", "square\n"),
        ("/count dogs", "3\n"),
        ("/count square --by detection", "1\n"),
        ("/reason Is it red?", "It has red in it. So yes.\n"),
        (
            "/ground the square",
            "    left      top    right   bottom  label\n    50.0      0.0    100.0     50.0  the square\n",
        ),
        ("/detect", "    left      top    right   bottom  label\n    50.0      0.0    100.0     50.0  square\n"),
        (
            "/detect square cup",
            "    left      top    right   bottom  label\n    50.0      0.0    100.0     50.0  cup\n",
        ),
        (
            "/DETECT  square 'cup' ",
            "    left      top    right   bottom  label\n    50.0      0.0    100.0     50.0  cup\n",
        ),
        ("/polygon the square", "1 outlined\nthe square: 1 part(s), 3 points\n"),
        ("/pose", "    left      top    right   bottom  joints\n    50.0      0.0    100.0     50.0  16 of 16\n"),
        ("/segment black red", "100.0%  red\n"),
        ("/segment", " 50.0%  red\n 50.0%  black\n"),
        ("/segment black red --present all --zoom 2 --tiles=2x1", " 50.0%  black\n 50.0%  red\n"),
        ("/segment black red --present all", " 50.0%  black\n 50.0%  red\n"),
        ("/depth", "nearest 7.05, median 7.05, farthest 7.05 (relative)\n"),
        ("/depth\t--scale NYUv2", "nearest 4.99, median 4.99, farthest 4.99 (m)\n"),
    ],
)
def test_a_line_prints_what_the_command_of_its_name_prints(
    line: str, printed: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = start(image)
    assert talk.run([line]) == 0
    assert capsys.readouterr() == (printed, "")


def test_a_click_is_printed_as_its_point(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(image).run(["/click press the square"])
    assert capsys.readouterr() == (
        "left_click at 75.0,25.0\n",
        "warning: the tool call stands without its tags (characters 0-80 of the answer)\n",
    )


def test_a_mask_is_printed_as_its_extent(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(image).run(["/refer the square"])
    assert "% of the image, from " in capsys.readouterr().out


def test_background_can_be_asked_for(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(image).run(["/segment --present all --background black red"])
    assert capsys.readouterr().out.splitlines() == [" 50.0%  black", " 50.0%  red"]


def test_every_command_is_in_the_help_which_fits_a_terminal(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start(image).run(["/help"])
    printed = capsys.readouterr().out
    assert printed == help_text() + "\n"
    assert all(f"  {command.usage}  " in printed for command in COMMANDS)
    assert all(f"  /{name} " in printed for name in TASKS)
    assert max(map(len, printed.splitlines())) <= 80
    assert "Each question stands alone" in printed


def test_questions_are_asked_alone(image: Path) -> None:
    engine = FakeEngine(ANSWERS)
    start(image, engine).run(["What is it?", "And what is it not?"])
    assert engine.questions == ["What is it?", "And what is it not?"]


def test_questions_are_remembered_where_that_is_wanted(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = FakeEngine({"What": "a square", "And": "a circle"})
    talk = start(image, engine, remembers=True)
    talk.run(["What is it?", "/describe", "And what is it not?", "/forget", "What is it?", f"/open {image}", "And?"])
    told = [[(turn.question, turn.answer) for turn in prefix.turns] for prefix in engine.prefixes]
    assert told == [[], [], [("What is it?", "a square")], [], []]
    assert capsys.readouterr().out.splitlines() == ["a square", "a circle", "a square", "a circle"]


def test_a_remembered_answer_can_be_saved(image: Path, tmp_path: Path) -> None:
    talk = start(image, FakeEngine({"What": "a square"}), remembers=True)
    assert talk.run(["What is it?", f"/save {tmp_path / 'answer.txt'}", f"/save {tmp_path / 'answer.json'}"]) == 0
    assert (tmp_path / "answer.txt").read_text(encoding="utf-8") == "a square\n"
    saved = json.loads((tmp_path / "answer.json").read_text(encoding="utf-8"))
    assert (saved["task"], saved["arguments"], saved["text"]) == ("ask", {"question": "What is it?"}, "a square")


def test_there_is_nothing_to_forget_where_nothing_is_remembered(
    image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(image).run(["/forget"]) == 2
    assert "Start the chat with --memory" in capsys.readouterr().err


def test_nothing_is_printed_after_quit_or_for_blank_lines(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk = start(image)
    assert talk.run(["", "  \n", "/quit", "What is it?"]) == 0
    assert capsys.readouterr() == ("", "")


MISTAKES = {
    "/foo": "there is no /foo. /help lists tasks and commands",
    "/": "there is no /.",
    "/ground": "ground: missing argument 'PHRASE",
    "/count": "count: missing argument 'WHAT",
    "/polygon  ": "polygon: missing argument 'PHRASE",
    "/refer": "refer needs one of a phrase, a box and a point",
    "/segment --all sky": "segment: no such option: --all",
    "/segment red --most": "segment: no such option: --most",
    "/detect cup, square": "class names are separated by blanks; got 'cup,'",
    "/detect cup cup": "class names must differ",
    "/pose now": "pose: got unexpected extra argument",
    "/depth --scale moon": "got 'moon'",
    "/help moon": "expected a task",
    "/open": "expected /open IMAGE",
    "/open nowhere.png": "nowhere.png",
    "/open ~nobody-of-this-name/x.png": "no user has the home folder",
    "/save": "expected /save FILE",
    "/save answer.doc": "ends in .txt, .json, .npz, .png, .depth.png, .index.png, .coco.json, ",
    "/save x.png": "expected a drawing to save",
    "/save x.npz": "expected arrays to save",
    "/save x.txt": "expected words to save",
    "/save x.json": "expected an answer to save; no answer has given any yet",
    "a cup \udcff": "valid Unicode",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_gets_one_message_and_the_conversation_continues(
    line: str, image: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start(image).run([line, "What is it?"]) == 2
    printed, errors = capsys.readouterr()
    assert printed == "A small red square.\n"
    assert MISTAKES[line] in errors
    assert errors.startswith("error: ")
    assert errors.count("\n") == 1


def test_code_is_that_of_the_last_line_that_failed(image: Path) -> None:
    unable = FakeEngine(ANSWERS)  # has no depth tokens: the model file is to blame
    assert start(image, unable).run(["/foo", "/depth", "What is it?"]) == 3
    assert start(image, unable).run(["/depth", "/foo"]) == 2


def test_at_a_terminal_mistakes_leave_code_0(image: Path) -> None:
    assert start(image, interactive=True).run(["/foo"]) == 0


def test_a_broken_image_leaves_the_one_before_in_place(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(image.read_bytes()[:60])
    talk = start(image)
    assert talk.run([f"/open {broken}", "/ground the square"]) == 2
    printed, errors = capsys.readouterr()
    assert "broken.png" in errors
    assert "50.0      0.0    100.0     50.0  the square" in printed


@pytest.mark.parametrize("typed", ["{}", "'{}'", '"{}"', "{escaped}"])
def test_questions_after_open_are_about_the_other_image(
    typed: str, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "my other.png"
    Image.new("RGB", (128, 64)).save(other)
    talk = start(image)
    line = f"/open {typed.format(other, escaped=str(other).replace(' ', chr(92) + ' '))}"
    assert talk.run([line, "/ground the square"]) == 0
    printed, remarks = capsys.readouterr()
    assert "64.0      0.0    128.0     64.0  the square" in printed
    assert remarks == f"{other}, 128x64 pixels\n"


def test_results_are_saved_in_the_form_the_name_asks_for(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [tmp_path / name for name in ("kept.png", "kept.npz", "kept.txt", "kept.json")]
    saves = [f"/save {file}" for file in files]
    assert start(image).run(["What is it?", "/ground the square", *saves]) == 0
    with Image.open(files[0]) as drawing:
        assert drawing.size == (100, 50)
    with np.load(files[1]) as arrays:
        assert arrays["xyxy"].tolist() == [[50, 0, 100, 50]]
    assert files[2].read_text() == "A small red square.\n"
    form = json.loads(files[3].read_text())
    assert (form["task"], form["image"], form["arguments"]) == (
        "ground",
        str(image),
        {"description": "the square"},
    )
    assert f"wrote {files[2]}: ask of {image}" in capsys.readouterr().err


def test_a_count_of_boxes_is_saved_as_words_and_as_a_drawing(image: Path, tmp_path: Path) -> None:
    words, drawn = tmp_path / "count.txt", tmp_path / "count.png"
    assert start(image).run(["/count square --by detection", f"/save {words}", f"/save {drawn}"]) == 0
    assert words.read_text() == "1\n"
    with Image.open(drawn) as drawing:
        assert drawing.getpixel((50, 0)) != (0, 0, 0)


def test_streamed_words_are_saved_as_json_like_any_answer(image: Path, tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    start(image).run(["What is it?", f"/save {file}"])
    form = json.loads(file.read_text())
    assert (form["text"], form["finish"], form["arguments"]) == (
        "A small red square.",
        "stop",
        {"question": "What is it?"},
    )


def test_a_result_is_drawn_on_its_own_image(image: Path, tmp_path: Path) -> None:
    other, drawn = tmp_path / "other.png", tmp_path / "drawn.png"
    Image.new("RGB", (200, 100)).save(other)
    start(image).run(["/detect", f"/open {other}", f"/save {drawn}"])
    with Image.open(drawn) as drawing:
        assert drawing.size == (100, 50)


def test_the_image_itself_is_not_written_over(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = image.read_bytes()
    assert start(image).run(["/detect", f"/save {image}"]) == 2
    assert image.read_bytes() == before
    assert "is the image itself" in capsys.readouterr().err


def test_a_missing_folder_is_a_mistake(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(image).run(["/detect", "/save /nowhere/x.png", "/save /nowhere/x.txt"]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_flaws_of_an_answer_are_warnings_unless_quiet(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(image).run(["/count cats"]) == 0
    assert capsys.readouterr() == ("no number\n", "warning: expected one whole number in the answer; got none\n")
    start(image, quiet=True).run(["/count cats", "blank"])
    assert capsys.readouterr() == ("no number\n", "")


def test_an_empty_answer_gets_a_warning(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert start(image).run(["blank"]) == 0
    assert capsys.readouterr() == ("", "warning: the answer is empty\n")


def test_a_streamed_answer_says_where_it_was_cut(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = yg.load(engine=FakeEngine(ANSWERS), max_tokens=2)
    Conversation(model, str(image), Displays(False), interactive=False).run(["long"])
    printed, remarks = capsys.readouterr()
    assert printed == "one two \n"
    assert "cut off at the token limit" in remarks


def test_with_scores_answers_are_followed_by_theirs(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = yg.load(engine=FakeEngine(ANSWERS), scores=True)
    talk = Conversation(model, str(image), Displays(False), interactive=False)
    assert talk.run(["What is it?", "/describe"]) == 0
    printed, remarks = capsys.readouterr()
    assert [line.partition(" 0.")[0] for line in printed.splitlines()] == [
        "A small red square.",
        "score",
        "Black, then red.",
        "score",
    ]
    assert remarks == ""
