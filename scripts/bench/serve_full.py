#!/usr/bin/env python3
"""`youtu-gguf serve` with a model of full size: how long others wait for a new image, and llama-server beside it.

    python scripts/bench/serve_full.py [--model nano] [--only pause chat]

Without --model it uses the full-size synthetic pair (random weights: the speed is right, the answers mean nothing).

pause: the worst gap between two pieces of a running stream while another client's new image is read, against the
    longest slice of such a reading when nothing else runs.
chat: eight clients with two questions on each of four images that neither server has seen. The same OpenAI requests go
    to `youtu-gguf serve` and to a llama-server with eight slots, started as the engine "server" starts it; one of them
    is loaded at a time. The ratio is that of tokens per second from the first request to the last answer.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from _full import add_pair_option, full_pair, machine
from _serve_rows import Row, elapsed, jpegs

import youtu_gguf as yg
from scripts._arguments import count
from scripts._asking import Client, Event
from scripts._dialects import DIALECTS, data_uri
from scripts._serving import Server, serving
from youtu_gguf.engines.llama_server.engine import ServerEngine

N_CLIENTS, N_IMAGES, N_GENERATED = 8, 4, 24
QUESTIONS = (
    "Is this a kitchen?", "Where was it taken?", "How old is he?", "Name the animals.", "Who made this?",
    "Does it move?", "Any text in it?", "What season is it?",
)  # fmt: skip
TASK = "/v1/tasks/ask"
LONG = {"max_tokens": 4000, "temperature": 0, "loop_guard": False}
READING = ("encode", "prefill")
CHAT = next(dialect for dialect in DIALECTS if dialect.name == "OpenAI")


def read_image(client: Client, data: bytes) -> list[float]:
    """Let the server read a new image; return the seconds between the steps that it reports."""
    image = client.post("/v1/images", data, "image/jpeg")["id"]
    body = {"image": image, "question": "What is it?", "options": {"max_tokens": 1}, "stream": True, "timeout_s": 3600}
    steps = [(event.data["stage"], event.at) for event in client.stream(TASK, body) if event.name == "progress"]
    return [
        after - before
        for (first, before), (second, after) in itertools.pairwise(steps)
        if first in READING and second in READING
    ]


def pieces(client: Client, image: str) -> Iterator[Event]:
    """Yield the pieces of an answer that does not end."""
    body = {"image": image, "question": "Tell me all about it.", "options": LONG, "stream": True, "timeout_s": 3600}
    return (event for event in client.stream(TASK, body) if event.name == "piece")


def pause(server: Server, rounds: int) -> Row:
    """Return the worst pause of a stream beside the reading of a new image, in slices."""
    files, found = jpegs(), []
    with server.client() as running, server.client() as other:
        slice_s = max(max(read_image(other, next(files))) for _ in range(rounds))
        image = running.post("/v1/images", next(files), "image/jpeg")["id"]
        stream = pieces(running, image)
        alone = [event.at for event in itertools.islice(stream, 8)]
        for _ in range(rounds):
            reading = threading.Thread(target=read_image, args=(other, next(files)))
            times = [next(stream).at]
            reading.start()
            while reading.is_alive():
                times.append(next(stream).at)
            reading.join()
            found.append(max(after - before for before, after in itertools.pairwise(times)))
    token_s = (alone[-1] - alone[0]) / (len(alone) - 1)
    text = f"worst {max(found):.2f} s, longest slice {slice_s:.2f} s, a token alone {token_s:.3f} s"
    return Row("worst pause while an image is read", max(found) / slice_s, 1.5, "x", text)


def chat(port: int, key: str | None, files: list[bytes]) -> tuple[int, float]:
    """Ask from eight clients at once; return the tokens of all answers, and the seconds."""

    def ask(number: int) -> int:
        with Client(port, key, timeout_s=3600) as client:
            body = CHAT.body(data_uri(files[number % len(files)]), QUESTIONS[number], N_GENERATED)
            return int(client.post(CHAT.path, body)["usage"]["completion_tokens"])

    with ThreadPoolExecutor(N_CLIENTS) as pool:
        seconds, counts = elapsed(lambda: list(pool.map(ask, range(N_CLIENTS))))
    return sum(counts), seconds


def chat_with_llama_server(model_path: Any, mmproj: Any, files: list[bytes], flags: list[str]) -> tuple[int, float]:
    """Do the same with a llama-server."""
    with yg.load(model_path, mmproj, "server", n_slots=N_CLIENTS, server_flags=flags, temperature=0.0) as model:
        assert isinstance(model.engine, ServerEngine)
        address = model.engine.supervisor.wait_ready()
        port = urlsplit(address.url).port
        assert port is not None
        return chat(port, address.key, files)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_pair_option(parser)
    parser.add_argument("--model", help="another model, such as nano")
    parser.add_argument("--only", nargs="+", choices=("pause", "chat"), default=("pause", "chat"))
    parser.add_argument("--rounds", type=count, default=2, help="images that are read beside the stream")
    parser.add_argument("--flags", default="", help="additional flags of llama-server")
    args = parser.parse_args()
    model_path, mmproj = (args.model, None) if args.model else full_pair(args.folder)
    files = list(itertools.islice(jpegs(), N_IMAGES))
    print(f"{machine()}; {args.model or 'full-size pair'}", flush=True)
    rows = []
    started = time.perf_counter()
    with serving(str(model_path)) as server:
        print(f"ready after {time.perf_counter() - started:.1f} s", flush=True)
        if "chat" in args.only:  # first: its images must not be known
            tokens, seconds = chat(server.port, None, files)
            print(f"youtu-gguf serve: {tokens} tokens in {seconds:.1f} s", flush=True)
        if "pause" in args.only:
            rows.append(pause(server, args.rounds))
            print(rows[-1], flush=True)
    if "chat" in args.only:
        of_llama, llama_s = chat_with_llama_server(model_path, mmproj, files, args.flags.split())
        text = f"{tokens} tokens in {seconds:.1f} s, llama-server {of_llama} in {llama_s:.1f} s"
        row = Row("chat of 8 clients on 4 images, cold", (tokens / seconds) / (of_llama / llama_s), 3, "x", text, True)
        rows.append(row)
        print(row, flush=True)
    sys.exit(not all(row.met for row in rows))


if __name__ == "__main__":
    main()
