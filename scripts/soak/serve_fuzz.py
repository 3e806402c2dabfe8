#!/usr/bin/env python3
"""Requests of every form that OpenAPI allows, and of many that it does not, for `youtu-gguf serve`: none may fail it.

    python scripts/soak/serve_fuzz.py --examples 5000

schemathesis makes them from the server's own description, route by route, half of them as it says and half not. Half
of either get an image and a model that are there, so that they come as far as the model. No answer may be 5xx, but for
501, which says what the engine cannot do; every error must be JSON that says nothing of the server's files.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import random
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count
from scripts._serving import serving
from scripts.soak.hostile_images import png

PICTURE = png(96, 64, 8, 2, rows=64)
IMAGE_NAMES = ("image", "images", "url", "image_url", "id", "file_id")
"""Fields and parts of paths that name an image."""

MODEL = "youtu-vl"

SHORT: dict[str, dict[str, Any]] = {
    "/v1/tasks": {"options": {"max_tokens": 8}},
    "/v1/chat": {"max_tokens": 8},
    "/v1/responses": {"max_output_tokens": 8},
    "/api": {"options": {"num_predict": 8}},
}
"""What keeps answers short, by how the path begins: most of the time would else go to those of a few requests."""

FAILURE, ALLOWED = 500, (501,)
TIMEOUT_S = 180.0
"""Longer than a task may take by itself (`timeout_s`)."""
TOLD = ("Traceback", "site-packages", 'File "/')
"""What an answer must not hold, unless it was sent: Hypothesis takes texts from the code that it tests."""


class Fuzzer:
    """Sends requests to one server.

    Args:
        url: Its address.
        number: Seed of what is made.

    Attributes:
        outcomes: How often each status was answered, by method and path.
        faults: What must not have happened, in words.
    """

    def __init__(self, url: str, number: int) -> None:
        self._url, self._number = url, number
        self._session = requests.Session()
        self._rng = random.Random(number)
        self._id = ""
        self.outcomes: dict[str, Counter[int]] = {}
        self.faults: list[str] = []

    def run(self, examples: int, only: str = "") -> Iterator[str]:
        """Send `examples` requests to each route whose path holds `only`; yield each route when that is done."""
        schema = schemathesis.openapi.from_url(f"{self._url}/openapi.json")
        for found in schema.get_all_operations():
            assert isinstance(found, Ok)
            operation = found.ok()
            if only in operation.path:
                yield self._run_route(operation, examples)

    def _run_route(self, operation: Any, examples: int) -> str:
        sent = self._session.post(f"{self._url}/v1/images", data=PICTURE, headers={"Content-Type": "image/png"})
        self._id = sent.json()["id"]
        name = f"{operation.method.upper()} {operation.path}"
        self.outcomes[name] = Counter()

        may_be_wrong = len(operation.body) + len(operation.query) > 0
        for mode in GenerationMode if may_be_wrong else (GenerationMode.POSITIVE,):
            self._make(operation.as_strategy(generation_mode=mode), max(1, examples // 2), name)
        return name

    def _make(self, cases: SearchStrategy[Any], examples: int, name: str) -> None:
        @seed(self._number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def send(case: Any) -> None:
            self._send(name, case)

        with warnings.catch_warnings(), contextlib.suppress(Unsatisfiable):  # a route where nothing can be wrong
            warnings.simplefilter("ignore")
            send()

    def _send(self, name: str, case: Any) -> None:
        if self._rng.random() < 0.5:
            case.body = self._with_image(case.body)
            case.path_parameters = self._with_image(case.path_parameters)
            if isinstance(case.body, dict):
                for start, limits in SHORT.items():
                    case.body = {**(limits if case.path.startswith(start) else {}), **case.body}
        try:
            answer = case.call(base_url=self._url, session=self._session, timeout=TIMEOUT_S)
        except (requests.RequestException, ValueError) as exc:
            if isinstance(exc, requests.ConnectionError | requests.Timeout):
                self.faults.append(f"{name}: {type(exc).__name__} {exc} for {describe(case)}")
            return  # what the client itself refuses to send
        self.outcomes[name][answer.status_code] += 1
        text = answer.text if answer.status_code >= 400 else ""
        if answer.status_code >= FAILURE and answer.status_code not in ALLOWED:
            self.faults.append(f"{name}: {answer.status_code} {text[:300]} for {describe(case)}")
        elif any(told in text and told not in repr((case.path_parameters, case.query, case.body)) for told in TOLD):
            self.faults.append(f"{name}: tells too much: {text[:300]} for {describe(case)}")
        elif text and not is_object(text):
            self.faults.append(f"{name}: {answer.status_code} is no JSON: {text[:300]} for {describe(case)}")

    def _with_image(self, value: Any, name: str = "") -> Any:
        """Return `value` with an image and a model that are there wherever one is named."""
        if isinstance(value, dict):
            return {key: self._with_image(inner, str(key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._with_image(inner, name) for inner in value]
        if name == "model" and isinstance(value, str):
            return MODEL
        if isinstance(value, bytes) and name in IMAGE_NAMES:
            return PICTURE
        if isinstance(value, str) and name in IMAGE_NAMES:
            data = base64.b64encode(PICTURE).decode()
            return self._rng.choice((self._id, data, f"data:image/png;base64,{data}"))
        return value


def is_object(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def describe(case: Any) -> str:
    """Return what was sent, shortened."""
    return f"{case.path_parameters} {case.query} {case.media_type} {case.body!r}"[:600]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=count, default=5000, help="requests for each route")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--only", default="", help="routes whose path holds this")
    args = parser.parse_args()
    with serving("nano") as server:
        fuzzer = Fuzzer(f"http://127.0.0.1:{server.port}", args.seed)
        for name in fuzzer.run(args.examples, args.only):
            counts = sorted(fuzzer.outcomes[name].items())
            print(f"{name:50} {', '.join(f'{n} x {status}' for status, n in counts)}", flush=True)
        faults = fuzzer.faults
        if server.process.poll() is not None or server.n_children():
            faults.append(f"the server ended, or started a process: {server.tail()}")
        elif "Traceback" in server.log.read_text(errors="replace"):
            faults.append(f"the log: {server.tail()}")
    print("\n".join(faults) or "no failure")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
