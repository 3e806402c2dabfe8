"""The chat template that a llama-server fills in: the model's own, whatever the model file holds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.conftest import ON_PROCESSOR
from tests.loopback_chat import Chat, serving
from tests.server.conftest import NANO, Serve, address_of

RGB = draw(TEST_SEEDS).rgb
KEY = b"tokenizer.chat_template"


def altered(tmp_path: Path, old: bytes, new: bytes) -> Path:
    """Return nano with the first `old` of its header replaced by as many bytes."""
    assert len(old) == len(new)
    model, projector = yg.weights.find("nano")
    data = model.read_bytes()
    assert old in data
    shutil.copy(projector, tmp_path)
    copy = tmp_path / model.name
    copy.write_bytes(data.replace(old, new, 1))
    return copy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(KEY, b"tokenizer.chat_tamplate", id="no template"),
        pytest.param(b"add_generation_prompt %}", b"false" + b" " * 17 + b"%}", id="another template"),
    ],
)
def test_answers_are_the_native_engines_without_the_files_template(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = altered(tmp_path, old, new)
    settings = {**NANO, "n_batch": 60}
    with yg.load("nano", **settings) as native, yg.load(path, engine="server", **settings) as server:
        expected, answer = (model.open(RGB).describe() for model in (native, server))
        assert answer.raw == expected.raw


def test_conversations_are_the_native_engines(serve: Serve) -> None:
    alike = {**NANO, **ON_PROCESSOR, "n_batch": 60}
    with yg.load("nano", **alike) as native:
        told = []
        for model in (native, serve(**alike)):
            chat = model.chat(RGB, draw(TEST_SEEDS + 1).rgb)
            answers = [chat.ask("What is in the first picture?").raw, chat.ask("And in the second?").raw]
            chat.attach(draw(TEST_SEEDS + 2).rgb)
            told.append([*answers, chat.ask("Describe this one.").raw, model.chat().ask("What is a circle?").raw])
    assert told[0] == told[1]


def test_a_llama_server_with_another_template_is_refused(tmp_path: Path) -> None:
    path = altered(tmp_path, KEY, b"tokenizer.chat_tamplate")
    flags = ["--chat-template", "chatml"]
    with yg.load(path, engine="server", server_flags=flags, **NANO) as model:
        url, key = address_of(model)
        with pytest.raises(yg.EngineError, match=r"the model's own chat template.*im_start"):
            yg.load(engine=url, api_key=key)
        with yg.load(path.stem, engine=url, api_key=key) as named:
            scene = named.open(RGB)
            with pytest.raises(yg.EngineError, match=r"the model's own chat template.*im_start"):
                scene.describe()


def test_other_servers_are_not_asked_for_their_template() -> None:
    with serving(Chat()) as chat, yg.load(engine=chat.url):
        assert chat.keys == [None]
