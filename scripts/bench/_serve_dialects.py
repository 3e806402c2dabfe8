"""The bytes of one image again through every protocol: nothing is encoded and no image is prefilled twice."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from _serve_rows import Row, jpegs

from scripts._asking import Client, form
from scripts._dialects import DIALECTS, data_uri
from scripts._serving import Server

CLASS = "cup"
LABELS = f"""<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image"><Label value="{CLASS}"/></RectangleLabels></View>"""


def detections(client: Client, data: bytes) -> dict[str, Callable[[], Any]]:
    """Return the protocols that ask for things of a class rather than a question."""
    uri, plain = data_uri(data), base64.b64encode(data).decode()
    options = {"max_tokens": 24, "temperature": 0}
    params = {"classes": [CLASS], "options": options}
    chat = DIALECTS[1].body(uri, CLASS, 24)
    localai = {"model": "youtu-vl", "image": plain, "prompt": CLASS}
    anylabeling = {"model": "youtu-vl-detect", "image": uri, "params": {"text_prompt": CLASS}}
    studio = {"tasks": [{"id": 1, "data": {"image": uri}}], "label_config": LABELS, "project": "1.1"}
    return {
        "native, a form": lambda: client.post("/v1/tasks/detect", *form(data, params)),
        "native, detect": lambda: client.post("/v1/tasks/detect", {"image": uri, **params}),
        "native, several tasks": lambda: client.post(
            "/v1/tasks", {"image": uri, "tasks": [{"task": "detect", "classes": [CLASS]}], "options": options}
        ),
        "OpenAI, youtu-vl:detect": lambda: client.post("/v1/chat/completions", {**chat, "model": "youtu-vl:detect"}),
        "LocalAI": lambda: client.post("/v1/detection", localai),
        "DeepStack": lambda: client.post("/v1/vision/detection", *form(data, {})),
        "X-AnyLabeling": lambda: client.post("/x-anylabeling/v1/predict", anylabeling),
        "Label Studio": lambda: client.post("/label-studio/predict", studio),
    }  # fmt: skip


def cost(server: Server) -> dict[str, float]:
    """Return what reading images has cost so far."""
    samples = server.metrics()
    names = ("youtu_image_tokens_total", "youtu_encode_seconds_total", "youtu_prefill_seconds_total")
    return {name: samples[name] for name in names}


def measure(server: Server) -> list[Row]:
    """Return the image tokens that each protocol has read again, and of those that can say it the cached tokens."""
    data, rows = next(jpegs()), []
    with server.client() as client:
        n_image = client.post("/v1/images", data, "image/jpeg")["image_tokens"]
        DIALECTS[0].ask(client, data_uri(data), "What is it?", 8)

        def again(name: str, ask: Callable[[], Any], cached: Callable[[Any], int] | None = None) -> None:
            before = cost(server)
            answer = ask()
            spent = {key: value - before[key] for key, value in cost(server).items()}
            encoded = sum(spent.values())  # tokens and seconds: all of them are to be 0
            rows.append(Row(f"the same bytes again, {name}", encoded, 0, "", "image tokens and seconds of reading"))
            if cached is not None:
                text = f"of {n_image} image tokens and the words before them"
                rows.append(Row(f"cached tokens, {name}", cached(answer), n_image, "", text, least=True))

        for number, dialect in enumerate(DIALECTS):
            question = f"What is this, {number}?"
            again(dialect.name, lambda d=dialect, q=question: d.ask(client, data_uri(data), q, 8), dialect.cached)  # type: ignore[misc]
        for name, ask in detections(client, data).items():
            again(name, ask)
    return rows
