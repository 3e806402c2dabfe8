"""Wordings: the same questions in every language, and the tool that clicks are declared with."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest

from youtu_gguf.facts import BEGIN, DEFAULT_SYSTEM, END, MPII_JOINTS, VISION_END
from youtu_gguf.prompts import (
    CHINESE,
    ENGLISH,
    SCREEN_ACTIONS,
    TEMPLATE,
    WORDINGS,
    Wording,
    closing,
    computer_use,
    opening,
)

HAN = re.compile("[\u4e00-\u9fff]")
FIELDS = sorted(asdict(ENGLISH))
SPOKEN = [name for name in FIELDS if name not in ("between_names", "full_stop")]


@pytest.mark.parametrize("name", SPOKEN)
def test_every_wording_is_chinese_and_takes_the_same_words(name: str) -> None:
    english, chinese = getattr(ENGLISH, name), getattr(CHINESE, name)
    assert HAN.search(chinese)
    assert chinese.count("{}") == english.count("{}")
    assert not HAN.search(english)


@pytest.mark.parametrize("name", FIELDS)
def test_tags_and_numbers_are_those_of_the_english_wording(name: str) -> None:
    english, chinese = getattr(ENGLISH, name), getattr(CHINESE, name)
    for pattern in (r"</?[a-z_0-9.]+>", r"\d+"):
        assert sorted(set(re.findall(pattern, chinese))) == sorted(set(re.findall(pattern, english)))


@pytest.mark.parametrize("wording", WORDINGS.values(), ids=list(WORDINGS))
def test_joints_are_named_in_order_as_answers_count_them(wording: Wording) -> None:
    assert re.findall(r"\(\d+\) ([a-z_]+)", wording.pose) == list(MPII_JOINTS)


@pytest.mark.parametrize("wording", WORDINGS.values(), ids=list(WORDINGS))
def test_the_callers_words_go_in_as_they_are(wording: Wording) -> None:
    words = 'a {} "cup" {0}'
    for name in ("count", "ground", "polygon", "think"):
        assert words in getattr(wording, name).format(words)
    assert words in wording.detect([words, "dog"])
    assert words in wording.segment([words], background=False)


def test_names_are_joined_as_the_language_does() -> None:
    assert ENGLISH.detect(["car", "dog"]).endswith(": car, dog")
    assert CHINESE.detect(["汽车", "狗"]).endswith("：汽车、狗")
    assert CHINESE.segment(["路", "天空"], background=False) == "分割：路、天空，不包含背景类别。"
    assert CHINESE.before_depth("nyuv2") == "请估计这张来自NYUv2数据集的图片的深度。"
    assert CHINESE.before_depth("open") == ""


def test_thinking_is_asked_for_on_a_line_of_its_own() -> None:
    assert ENGLISH.think.format("How many?") == "How many?\nThink step-by-step."
    assert CHINESE.think.format("多少？").splitlines() == ["多少？", "请逐步思考。"]


def test_the_tool_is_json_and_tells_the_size() -> None:
    tool = json.loads(computer_use(1280, 736))
    assert tool["function"]["name"] == "computer_use"
    parameters = tool["function"]["parameters"]
    assert parameters["properties"]["action"]["enum"] == list(SCREEN_ACTIONS)
    assert "1280 wide and 736 high" in parameters["properties"]["coordinate"]["description"]


@pytest.mark.parametrize("wording", WORDINGS.values(), ids=list(WORDINGS))
def test_every_language_declares_the_same_tool_and_shows_a_call(wording: Wording) -> None:
    system = wording.clicking(640, 480)
    assert computer_use(640, 480) in system.splitlines()
    assert system.endswith('<tool_call>{"name": "computer_use", "arguments": {...}}</tool_call>')


def test_the_template_for_servers_says_what_the_native_engine_does() -> None:
    jinja2 = pytest.importorskip("jinja2")
    content = [{"type": "text", "text": "before"}, {"type": "image_url"}, {"type": "text", "text": "Why?"}]
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}]
    written = jinja2.Template(TEMPLATE, keep_trailing_newline=True).render(messages=asked, add_generation_prompt=True)
    image = f"<|image_pad|>{VISION_END}"
    assert written == "".join((*opening("Be brief.", "before"), image, *closing("Why?")))
    alone = jinja2.Template(TEMPLATE, keep_trailing_newline=True).render(messages=asked[1:])
    assert alone.startswith(f"{BEGIN}system\n{DEFAULT_SYSTEM}{END}\n{BEGIN}user\n")
    assert "\n" not in TEMPLATE
