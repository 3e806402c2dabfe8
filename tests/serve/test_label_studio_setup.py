"""Labelling setups as Label Studio writes them, and as someone who means harm does."""

from __future__ import annotations

import pytest

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.label_studio.setup import Control, read_setup

SETUP = """
<View>
  <Image name="image" value="$picture" zoom="true"/>
  <BrushLabels name="brush" toName="image">
    <Label value="Car" predicted_values="car, truck"/>
    <Label value="Person" alias="human" background="#0d14d3"/>
  </BrushLabels>
  <KeyPointLabels name="points" toName="image" smart="true"><Label value="Car"/></KeyPointLabels>
  <RectangleLabels name="elsewhere" toName="text"><Label value="Car"/></RectangleLabels>
</View>
"""


def test_controls_have_their_image_and_labels() -> None:
    assert [vars(control) for control in read_setup(SETUP)] == [
        vars(Control("brushlabels", "brush", "image", "picture", {"car": "Car", "truck": "Car", "Person": "human"})),
        vars(Control("keypointlabels", "points", "image", "picture", {"Car": "Car"}, smart=True)),
    ]


@pytest.mark.parametrize("setup", ["<View/>", "<View><Image name='image'/></View>", "<View><Image value='$a'/></View>"])
def test_a_setup_without_an_image_has_no_controls(setup: str) -> None:
    assert read_setup(setup) == ()


@pytest.mark.parametrize(
    ("xml", "why"),
    [
        ("", "no XML"),
        ("<View>", "no XML"),
        ("plain", "no XML"),
        ("<View>&unknown;</View>", "no XML"),
        ("<View a='\x00'/>", "no XML"),
        ("<View>\ud800</View>", "no XML"),
        ("<!DOCTYPE v [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]><View>&b;</View>", "document type"),
        ("<!DOCTYPE v SYSTEM 'file:///etc/passwd'><View/>", "document type"),
        ("<!DOCTYPE v [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><View>&x;</View>", "document type"),
        ("<a>" * 65 + "</a>" * 65, "inside each other"),
        ("<View>" + "<a/>" * 10_000 + "</View>", "10000 tags"),
        ("<View>" + " " * (1 << 18) + "</View>", "longer"),
        ("<?xml version='1.0' encoding='utf-16'?><View>", "no XML"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(xml: str, why: str) -> None:
    with pytest.raises(ApiError, match=why) as caught:
        read_setup(xml)
    assert (caught.value.status, caught.value.param) == (400, "label_config")
