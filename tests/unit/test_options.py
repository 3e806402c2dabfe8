"""Options of one run: what is filled in, and what is refused."""

from __future__ import annotations

import threading
from typing import Any, get_args

import numpy as np
import pytest

import youtu_gguf as yg
from youtu_gguf.batch import Asked, settings_of
from youtu_gguf.cli.common import Lang as LangOption
from youtu_gguf.config import Sampling, Settings
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
        ({"max_token": 3}, "unknown option max_token. A task takes: strict, cancel, lang, temperature"),
        ({"cancel": "yes"}, "cancel must be a threading.Event; got 'yes'"),
        ({"strict": "no"}, "strict must be True or False; got 'no'"),
        ({"scores": "no"}, "got scores='no'"),
        ({"loop_guard": None}, "got loop_guard=None"),
        ({"max_tokens": 2.5}, "whole max_tokens and seed.*got max_tokens=2.5"),
        ({"max_tokens": True}, "got max_tokens=True"),
        ({"max_tokens": 0}, "max_tokens >= 1.*got max_tokens=0"),
        ({"seed": 1.5}, "got seed=1.5"),
        ({"seed": -1}, "got seed=-1"),
        ({"max_s": "3"}, "got max_s='3'"),
        ({"temperature": float("nan")}, "no NaN.*got temperature=nan"),
        ({"lang": "fr"}, "lang must be one of en, zh; got 'fr'"),
        ({"lang": ["en"]}, "lang must be one of en, zh; got"),
        ({"top_p": 0}, "0 < top_p <= 1.*got top_p=0"),
    ],
)
def test_what_cannot_be_used_is_named_with_what_is_expected(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_options(given, Settings())


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
    english, chinese = (settings_of(model, asked, given, arrays=True, drawings=False) for given in ({}, {"lang": "zh"}))
    assert english != chinese
    assert chinese["options"] == {"lang": "zh"}
