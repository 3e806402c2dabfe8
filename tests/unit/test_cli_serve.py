"""The options of the command that serves a model."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from youtu_gguf.cli.main import app
from youtu_gguf.cli.quantities import parse_bytes, parse_count, parse_seconds
from youtu_gguf.cli.serve import page_url


@pytest.mark.parametrize(
    ("typed", "expected"),
    [("0", 0), ("17", 17), ("32M", 32 << 20), ("32 MiB", 32 << 20), ("1g", 1 << 30), ("1.5K", 1536), ("2TB", 2 << 40)],
)
def test_sizes_are_bytes_with_or_without_a_unit(typed: str, expected: int) -> None:
    assert parse_bytes(typed) == expected
    assert parse_bytes(str(expected)) == expected


@pytest.mark.parametrize(
    ("typed", "expected"), [("0", 0), ("90", 90), ("90s", 90), ("1.5m", 90), ("15m", 900), ("2h", 7200), ("1D", 86_400)]
)
def test_durations_are_seconds_unless_they_have_a_unit(typed: str, expected: float) -> None:
    assert math.isclose(parse_seconds(typed), expected)


def test_numbers_of_things_count_by_thousands() -> None:
    assert [parse_count(typed) for typed in ("7", "50M", "1.5k", "1G")] == [7, 50_000_000, 1500, 10**9]


@pytest.mark.parametrize("typed", ["", "M", "-1", "1X", "1MM", "ten", "1 2", "1e3", "0x10", "nan", "9" * 400 + "Q"])
def test_what_is_no_quantity_is_refused_with_an_example(typed: str) -> None:
    for parse in (parse_bytes, parse_count, parse_seconds):
        with pytest.raises(typer.BadParameter, match=r"expected a .*, such as"):
            parse(typed)


def refused(*options: str) -> str:
    done = CliRunner().invoke(app, ["serve", "-m", "nano", *options])
    assert (done.exit_code, done.stdout) == (2, ""), done.output
    return done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--max-body", "big"], "expected a size, such as 512K, 32M or 1G; got 'big'."),
        (["--idle-unload", "soon"], "expected a duration, such as 90s, 15m or 2h; got 'soon'."),
        (["--port", "70000"], "port must be a whole number from 0 to 65535; got 70000."),
        (["--queue", "0"], "max_waiting must be a whole number from 1 to 10000; got 0."),
        (["--classes", "cars"], "--classes must be a name and its classes, such as cars=car,truck; got 'cars'."),
        (["--api-key-file", "/nowhere/key"], "expected a key in the file /nowhere/key; it cannot be read"),
        (["--host", "0.0.0.0"], "expected a key, since other machines reach 0.0.0.0"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_before_anything_is_loaded(options: list[str], message: str) -> None:
    assert message in refused(*options)


def test_a_key_that_cannot_be_sent_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for text in ("", "\n", "two words\n", "schlüssel"):
        file.write_text(text, encoding="utf-8")
        said = refused("--api-key-file", str(file))
        assert "must be a key without blanks" in said
        assert not text.strip() or text.strip() not in said


def test_serve_and_server_name_each_other_in_their_help() -> None:
    assert 'youtu-gguf server"' in " ".join(CliRunner().invoke(app, ["serve", "--help"]).stdout.split())
    assert 'youtu-gguf serve"' in " ".join(CliRunner().invoke(app, ["server", "--help"]).stdout.split())


@pytest.mark.parametrize(
    ("url", "key", "expected"),
    [
        ("http://127.0.0.1:8765", None, "http://127.0.0.1:8765/"),
        ("http://0.0.0.0:80", "a1", "http://127.0.0.1:80/#key=a1"),
        ("http://[::]:8765", "a+/&#=", "http://[::1]:8765/#key=a%2B%2F%26%23%3D"),
        ("http://vision.lan:8765", None, "http://vision.lan:8765/"),
    ],
)
def test_the_page_is_opened_at_an_address_of_this_machine_with_the_key(
    url: str, key: str | None, expected: str
) -> None:
    assert page_url(url, key) == expected


@pytest.fixture
def nothing_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    monkeypatch.delenv("YOUTU_GGUF_ENGINE", raising=False)
    monkeypatch.chdir(tmp_path)


def said(*options: str) -> str:
    """Return what is printed until the address turns out to need a key."""
    done = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0", *options])
    assert done.exit_code == 2
    return done.stderr


@pytest.mark.usefixtures("nothing_pulled")
def test_the_small_model_is_served_where_nothing_was_pulled_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "No model was pulled: the small one" in said()
    for options in (("-m", "nano"), ("--engine", "http://127.0.0.1:1/v1")):
        assert "No model was pulled" not in said(*options)
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "nano")
    assert "No model was pulled" not in said()


@pytest.mark.usefixtures("nothing_pulled")
def test_a_broken_model_is_not_replaced_by_the_small_one(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("Youtu-VL-4B-Instruct-Q8_0.gguf", "mmproj-Youtu-VL-4B-Instruct-BF16.gguf"):
        (tmp_path / "models" / name).write_bytes(b"GGUF")
    done = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert "No model was pulled" not in done.stderr
