"""The bytes of one image again through every protocol: nothing is encoded and no image is prefilled twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _serve_rows import Row, jpegs

from scripts._dialects import DIALECTS, OTHERS, data_uri
from scripts._serving import Server


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
        for name, look in OTHERS.items():
            again(name, lambda look=look: look(client, data, "cup"))  # type: ignore[misc]
    return rows
