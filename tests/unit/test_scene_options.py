"""Options of one run: what is filled in, and what is refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import fields
from os import PathLike
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.batch import Asked, settings_of
from youtu_gguf.cli.common import Lang as LangOption
from youtu_gguf.config import LoadSettings, Sampling, ServerSettings, Settings, make_settings
from youtu_gguf.errors import InputError
from youtu_gguf.prompts import CHINESE, ENGLISH, WORDINGS, Lang
from youtu_gguf.scene.options import run_options
from youtu_gguf.testing import FakeEngine


def test_what_was_not_given_is_the_models() -> None:
    cancel = threading.Event()
    options = run_options({"max_tokens": 7, "cancel": cancel, "strict": True}, Settings(sampling=Sampling(seed=3)))
    assert options.sampling == Sampling(seed=3, max_tokens=7)
    assert (options.cancel, options.strict) == (cancel, True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"max_token": 3}, "unknown option max_token. A task takes: strict, cancel, progress, lang, temperature"),
        ({"cancel": "yes"}, "cancel must be a threading.Event; got 'yes'"),
        ({"progress": 1}, "progress must be a function of stage, done and total; got 1"),
        ({"progress": 1}, "progress must be a function of stage, done and total; got 1"),
        ({"strict": "no"}, "strict must be True or False; got 'no'"),
        ({"scores": "no"}, "scores must be True or False; got 'no'"),
        ({"loop_guard": None}, "loop_guard must be True or False; got None"),
        ({"max_tokens": 2.5}, "max_tokens must be a whole number of 1 or more; got 2.5"),
        ({"max_tokens": True}, "max_tokens must be a whole number of 1 or more; got True"),
        ({"max_tokens": 0}, "max_tokens must be a whole number of 1 or more; got 0"),
        ({"seed": 1.5}, "seed must be a whole number from 0 to 4294967295; got 1.5"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295; got -1"),
        ({"max_s": "3"}, "max_s must be a number above 0; got '3'"),
        ({"max_s": 0}, "max_s must be a number above 0; got 0"),
        ({"temperature": float("nan")}, "temperature must be a number of 0 or more, finite; got nan"),
        ({"temperature": np.float32("inf")}, "temperature must be a number of 0 or more, finite; got"),
        ({"repeat_penalty": 0}, "repeat_penalty must be a number above 0, finite; got 0"),
        ({"lang": "fr"}, "lang must be one of en, zh; got 'fr'"),
        ({"lang": ["en"]}, "lang must be one of en, zh; got"),
        ({"stop": "a"}, r"stop must be a list of strings, none of them empty, such as \[.*; got 'a'"),
        ({"stop": ["a", ""]}, "stop must be a list of strings, none of them empty"),
        ({"stop": [1]}, "stop must be a list of strings, none of them empty"),
        ({"top_p": 0}, "top_p must be a number above 0, up to 1; got 0"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_is_expected(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_options(given, Settings())


NUMPYS: dict[str, Any] = {
    "temperature": np.float32(0.5),
    "top_p": np.float64(0.5),
    "repeat_penalty": np.int64(1),
    "max_tokens": np.int32(7),
    "seed": np.uint32(3),
    "max_s": np.float16(2),
    "loop_guard": np.bool_(False),
    "scores": np.True_,
    "n_ctx": np.int64(512),
    "n_batch": np.uint8(64),
    "n_gpu_layers": np.int8(-1),
    "cuda_graphs": np.bool_(False),
    "repack": np.bool_(True),
    "threads": np.int64(1),
    "image_max_tokens": np.int64(100),
    "cache_bytes": np.int64(5),
    "cache_dir_bytes": np.int64(5),
    "n_slots": np.int64(2),
    "stall_s": np.float32(5),
    "connect_s": np.int64(5),
    "retries": np.int64(0),
    "start_s": np.float64(5),
    "hang_s": np.float64(5),
    "restarts": np.uint8(1),
    "max_server_bytes": np.int64(5),
}


def test_numbers_and_switches_of_numpy_are_settings_like_pythons() -> None:
    settings = make_settings(**NUMPYS)
    for part in (settings, settings.sampling, settings.server):
        for name in NUMPYS.keys() & vars(part).keys():
            assert type(getattr(part, name)) in (bool, int, float)
            assert getattr(part, name) == NUMPYS[name]
    assert settings == make_settings(**{name: value.item() for name, value in NUMPYS.items()})


def test_numbers_and_switches_of_numpy_are_options_like_pythons() -> None:
    given = {name: value for name, value in NUMPYS.items() if name in Sampling.__dataclass_fields__}
    options = run_options(given | {"strict": np.True_}, Settings())
    assert options.strict is True
    assert options.sampling == Sampling(**{name: value.item() for name, value in given.items()})


@pytest.mark.parametrize("name", NUMPYS)
@pytest.mark.parametrize("value", ["1", None, [1], 1j, np.array([1]), -2, float("nan")])
def test_a_setting_that_cannot_be_used_is_named_with_its_own_rule_only(name: str, value: Any) -> None:
    if value is None and name in ("n_ctx", "threads", "max_server_bytes"):
        return
    with pytest.raises(InputError) as raised:
        make_settings(**{name: value})
    assert str(raised.value).startswith(f"{name} must be ")
    assert set(re.findall(r"\w+", str(raised.value))) & NUMPYS.keys() == {name}


def test_the_types_of_settings_name_every_field_and_no_other() -> None:
    own = {field.name for kind in (Settings, Sampling, ServerSettings) for field in fields(kind)}
    assert LoadSettings.__annotations__.keys() == own - {"sampling", "server"}
    values: dict[type, dict[str, Any]] = {kind: get_type_hints(kind) for kind in (Settings, Sampling, ServerSettings)}
    paths, loaded = str | PathLike[str] | None, get_type_hints(LoadSettings)
    wider = dict.fromkeys(("cache_dir", "llama_server", "server_log"), paths)
    wider |= dict.fromkeys(("server_flags", "stop"), Sequence[str])
    wider["json_schema"] = str | Mapping[str, Any] | None
    assert loaded == {name: hint for kind in values.values() for name, hint in kind.items() if name in loaded} | wider


IMAGE = np.zeros((64, 64, 3), np.uint8)


def test_a_model_loaded_in_a_language_is_asked_in_it_unless_a_run_says_otherwise() -> None:
    engine = FakeEngine()
    scene = yg.load(engine=engine, lang="zh").open(IMAGE)
    scene.describe()
    "".join(scene.describe(stream=True))
    scene.many([("classify",)])
    scene.classify(lang="en")
    scene.many([yg.Question("classify", (), {"lang": "en"}), ("ocr",)])
    assert engine.questions == [
        CHINESE.describe, CHINESE.describe, CHINESE.classify, ENGLISH.classify, ENGLISH.classify, CHINESE.ocr,
    ]  # fmt: skip


def test_an_unknown_language_is_refused_when_loading() -> None:
    with pytest.raises(InputError, match="lang must be one of en, zh; got 'de'"):
        yg.load(engine=FakeEngine(), lang="de")


def test_the_option_of_the_command_line_has_every_language() -> None:
    assert get_args(LangOption) == get_args(Lang) == tuple(WORDINGS)


def test_a_batch_notices_another_language() -> None:
    model = yg.load(engine=FakeEngine())
    asked = [Asked("ocr", yg.Question("ocr"))]
    english, chinese = (settings_of(model, asked, given, ("npz",)) for given in ({}, {"lang": "zh"}))
    assert english != chinese
    assert chinese["options"] == {"lang": "zh"}
