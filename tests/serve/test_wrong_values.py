"""Good requests of every protocol, of which one value at a time is replaced by a wrong one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.serve.squares import DATA_URI, squares_client
from youtu_gguf.serve.settings import ServeSettings

BASE64 = DATA_URI.partition(",")[2]
PART = {"type": "image_url", "image_url": {"url": DATA_URI, "detail": "auto"}}
TEXT = {"type": "text", "text": "Describe it."}
SETUP = (
    '<View><Image name="a" value="$image"/><RectangleLabels name="b" toName="a"><Label value="square"/>'
    '</RectangleLabels><BrushLabels name="c" toName="a"><Label value="square"/></BrushLabels></View>'
)
POINTED = {
    "type": "rectanglelabels", "from_name": "b", "to_name": "a", "original_width": 160, "original_height": 128,
    "value": {"x": 10.0, "y": 10.0, "width": 40.0, "height": 50.0, "rectanglelabels": ["square"]},
}  # fmt: skip
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}

GOOD: dict[str, dict[str, Any]] = {
    "/v1/tasks/detect": {
        "image": DATA_URI, "classes": ["square"], "zoom": [1, 2], "timeout_s": 9.5, "stream": False,
        "options": {"max_tokens": 9, "max_seconds": 9.5, "temperature": 0.1, "seed": 0, "scores": True, "lang": "en"},
    },
    "/v1/tasks/refer": {
        "image": DATA_URI, "box": [1, 1, 9, 9], "refine": "auto", "output": {"masks": "rle", "map": "none"}
    },
    "/v1/tasks/segment": {"image": DATA_URI, "classes": ["square"], "zoom": 1, "tiles": [1, 1], "background": True},
    "/v1/tasks/depth": {"image": DATA_URI, "scale": "open", "focal_px": 9.5, "output": {"map": "png"}},
    "/v1/tasks/count": {"image": DATA_URI, "what": "square", "by": "answer"},
    "/v1/tasks": {"image": DATA_URI, "tasks": [{"task": "describe"}, {"task": "detect", "classes": ["square"]}]},
    "/v1/images": {"image": DATA_URI},
    "/v1/chat/completions": {
        "model": "youtu-vl",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [PART, TEXT]}],
        "max_tokens": 9, "temperature": 0.5, "top_p": 0.5, "seed": 1, "stop": ["a"], "n": 1, "stream": False,
        "stream_options": {"include_usage": True}, "youtu": {"decode": True}, "logprobs": False,
        "response_format": {"type": "text"},
    },
    "/v1/responses": {
        "model": "youtu-vl", "instructions": "Be brief.", "max_output_tokens": 9, "stream": False,
        "input": [{"role": "user", "content": [
            {"type": "input_image", "image_url": DATA_URI}, {"type": "input_text", "text": "Describe it."}
        ]}],
        "text": {"format": {"type": "text"}},
    },
    "/api/generate": {
        "model": "youtu-vl", "prompt": "Describe", "system": "Be brief.", "images": [BASE64], "stream": False,
        "options": {"num_predict": 9, "temperature": 0.5, "top_p": 0.5, "seed": 1, "stop": ["a"], "num_ctx": 99},
        "keep_alive": "5m",
    },
    "/api/chat": {
        "model": "youtu-vl", "messages": [{"role": "user", "content": "Describe", "images": [BASE64]}],
        "stream": False, "options": {"num_predict": 9}, "tools": [],
    },
    "/api/show": {"model": "youtu-vl"},
    "/v1/detection": {
        "model": "youtu-vl", "image": BASE64, "prompt": "square", "threshold": 0.5, "points": [20, 20, 1],
        "boxes": [1, 1, 50, 50],
    },
    "/v1/depth": {"model": "youtu-vl", "image": BASE64, "include_depth": True, "include_sky": False},
    "/x-anylabeling/v1/predict": {
        "model": "youtu-vl-detect", "image": DATA_URI,
        "params": {"text_prompt": "square", "conf_threshold": 0.5, "epsilon_factor": 0.5, "marks": []},
    },
    "/label-studio/setup": {"project": "1.2", "schema": SETUP, "hostname": "http://a.lan", "access_token": "b"},
    "/label-studio/predict": {
        "tasks": [{"id": 1, "data": {"image": DATA_URI}}], "label_config": SETUP,
        "params": {"context": {"result": [POINTED]}},
    },
}  # fmt: skip

WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 1, 0.5, 1e308, 10**19, "", "x", "\0", "-1", "1e999", "\u00e9" * 99, [], {}, [[]], [None],
    [1] * 9,
    ["a", "a"], {"a": None}, {"url": 1}, {"type": "x"}, [{}], "img_00", "https://127.0.0.1/", "/etc/passwd",
    "<|end_of_text|>", SCHEMA,
)  # fmt: skip

N_TRIED = 30
"""Of some hundred to a thousand for each path, so that it takes seconds; raise it to try all."""


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with squares_client(ServeSettings(label_studio_url="http://127.0.0.1:9")) as found:
        yield found


def places(value: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value inside another."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, found in inner:
        yield (*before, key)
        yield from places(found, (*before, key))


def replaced(body: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed: Any = deepcopy(body)
    inside = changed
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    return changed  # type: ignore[no-any-return]


@pytest.mark.parametrize("path", GOOD)
def test_the_requests_are_good(client: TestClient, path: str) -> None:
    answer = client.post(path, json=GOOD[path])
    assert answer.status_code in (200, 201), answer.text


@pytest.mark.parametrize("path", GOOD)
def test_no_wrong_value_fails_the_server(client: TestClient, path: str) -> None:
    every = [(place, value) for place in places(GOOD[path]) for value in WRONG]
    faults = []
    for place, value in random.Random(path).sample(every, min(N_TRIED, len(every))):
        answer = client.post(path, json=replaced(GOOD[path], place, value))
        if answer.status_code >= 500 and answer.status_code != 501:
            faults.append((place, json.dumps(value)[:40], answer.status_code, answer.text[:200]))
    assert faults == []
