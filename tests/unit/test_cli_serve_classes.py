"""Options of `youtu-gguf serve` for other programs: lists of classes, and Label Studio."""

from __future__ import annotations

from pathlib import Path

import pytest

from youtu_gguf.cli import serve
from youtu_gguf.errors import InputError
from youtu_gguf.serve.settings import ServeSettings


def settings(**options: object) -> ServeSettings:
    made: ServeSettings = serve._settings(serve.ServeOptions(**options))  # type: ignore[arg-type]
    return made


def test_lists_of_classes_have_names() -> None:
    found = settings(classes=["default=person, traffic light", "parcels=parcel"]).classes
    assert found == {"default": ("person", "traffic light"), "parcels": ("parcel",)}


@pytest.mark.parametrize("text", ["person", "default=", "default=,", "=person", ""])
def test_a_list_without_classes_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match="--classes must be a name and its classes"):
        settings(classes=[text])


def test_label_studios_token_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "token.txt"
    file.write_text("abc\nnot this\n")
    found = settings(label_studio_url="http://labels.lan:8080", label_studio_token_file=file)
    assert (found.label_studio_url, found.label_studio_token) == ("http://labels.lan:8080", "abc")
    assert "abc" not in repr(found)


@pytest.mark.parametrize("url", ["labels.lan", "ftp://labels.lan", "http://user:secret@labels.lan", "http://"])
def test_an_address_of_label_studio_that_is_none_is_an_error(url: str) -> None:
    with pytest.raises(InputError, match="label_studio_url"):
        ServeSettings(label_studio_url=url)
