"""A client that does what clients do, at random: asks in every protocol, sends, deletes, hangs up, and errs."""

from __future__ import annotations

import itertools
import json
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from scripts._asking import Client, RefusedError, Reply, form
from scripts._dialects import DIALECTS, OTHERS, data_uri
from scripts.soak._serve_judging import MAPS, MAX_TOKENS, OPTIONS, TEXTS, WORDS, Judge

LONGEST_WAIT_S = 2.0
"""Most seconds that a client obeys Retry-After for: it is there to fill the queue."""

TOO_MANY = 429

WRONG_REQUESTS: tuple[tuple[str, str, object, str], ...] = (
    ("POST", "/v1/tasks/ask", {}, "application/json"),
    ("POST", "/v1/tasks/ask", b"{", "application/json"),
    ("POST", "/v1/tasks/ask", b"{}", "text/plain"),
    ("POST", "/v1/tasks/ask", {"image": "img_00", "question": "Why?"}, "application/json"),
    ("POST", "/v1/tasks/ask", {"image": "/etc/passwd", "question": "Why?"}, "application/json"),
    ("POST", "/v1/tasks/detect", {"image": "img_00", "colour": "red"}, "application/json"),
    ("POST", "/v1/tasks/paint", {"image": "img_00"}, "application/json"),
    ("POST", "/v1/images", b"no image", "image/png"),
    ("POST", "/v1/chat/completions", {"model": "youtu-vl"}, "application/json"),
    ("POST", "/v1/chat/completions", {"model": "other", "messages": []}, "application/json"),
    ("POST", "/v1/responses", {"model": "youtu-vl", "input": 5}, "application/json"),
    ("POST", "/api/chat", {"model": "other", "messages": [{"role": "user", "content": "Hello"}]}, "application/json"),
    ("POST", "/v1/detection", {"model": "youtu-vl", "image": "?"}, "application/json"),
    ("GET", "/v1/images/img_00", None, ""),
    ("GET", "/v1/nothing", None, ""),
    ("PUT", "/v1/images", {}, "application/json"),
)


class Visitor:
    """One client. `visit` does one thing of many.

    Args:
        port: Of the server.
        judge: Who knows the right answers.
        number: Which client it is; the same number chooses the same things.
        stop: When set, it does not wait any more.
    """

    def __init__(self, port: int, judge: Judge, number: int, stop: threading.Event) -> None:
        self._port, self._judge, self._number, self._stop = port, judge, number, stop
        self._choose = random.Random(number)
        self._client = Client(port)
        self._ids: dict[int, str] = {}
        self._notes = itertools.count()
        doings: tuple[tuple[int, Callable[[int], None]], ...] = (
            (4, self.ask), (4, self.stream), (4, self.task), (1, self.detect), (2, self.task_stream), (2, self.map),
            (2, self.several), (2, self.upload), (1, self.delete), (3, self.hang_up), (2, self.err),
        )  # fmt: skip
        self._weights, self._doings = zip(*doings, strict=True)

    def visit(self) -> None:
        """Do one thing; what goes wrong is counted."""
        (do,) = self._choose.choices(self._doings, self._weights)
        which = self._choose.randrange(len(self._judge.pictures))
        try:
            do(which)
        except RefusedError as refused:
            self._refused(refused.reply, which)
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is a fault of the server or of this script
            self._judge.count(f"fault in {do.__name__}: {type(exc).__name__}: {exc}"[:300])
            self._client.close()

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _refused(self, reply: Reply, which: int) -> None:
        """Count an error; wait where that may help."""
        text = reply.body.decode(errors="replace")
        if reply.status == TOO_MANY:
            self._judge.count("429")
            self._stop.wait(min(LONGEST_WAIT_S, float(reply.headers.get("retry-after", "nan"))))
        elif reply.status == 404 and "there is no image" in text:
            self._judge.count("404 of a deleted image")
            self._ids.pop(which, None)
        else:
            self._judge.count(f"fault: {reply.status} {text[:200]}")

    def _image(self, which: int) -> str:
        """Return an image as id or as data URI."""
        if self._choose.random() < 0.3:
            return data_uri(self._judge.pictures[which].file(), "png")
        if which not in self._ids:
            self._ids[which] = self._client.post("/v1/images", self._judge.pictures[which].file(), "image/png")["id"]
        return self._ids[which]

    def ask(self, which: int) -> None:
        """Ask in one's own words, in any protocol."""
        asked, dialect = self._choose.choice(WORDS), self._choose.choice(DIALECTS)
        answer = dialect.ask(self._client, self._image(which), asked.question.prompt, MAX_TOKENS)
        self._judge.text(which, asked, dialect.text(answer), dialect.name)
        self._judge.count(f"answered by {dialect.name}")

    def stream(self, which: int) -> None:
        """Do the same by a stream."""
        asked, dialect = self._choose.choice(WORDS), self._choose.choice(DIALECTS)
        events = dialect.stream(self._client, self._image(which), asked.question.prompt, MAX_TOKENS)
        self._judge.text(which, asked, "".join(map(dialect.piece, events)), f"{dialect.name} streamed")
        self._judge.count(f"streamed by {dialect.name}")

    def task(self, which: int) -> None:
        """Run a task; the image comes by id, in JSON, or in a form."""
        asked = self._choose.choice(TEXTS)
        params, path = {**asked.arguments, "options": OPTIONS}, f"/v1/tasks/{asked.task}"
        if self._choose.random() < 0.3:
            answer = self._client.post(path, *form(self._judge.pictures[which].file(), params))
        else:
            answer = self._client.post(path, {"image": self._image(which), **params})
        self._judge.text(which, asked, answer["raw"], "a task")
        self._judge.count("tasks")

    def task_stream(self, which: int) -> None:
        """Run a task by a stream; its pieces must be its answer."""
        asked = self._choose.choice(TEXTS)
        body = {"image": self._image(which), **asked.arguments, "options": OPTIONS, "stream": True}
        events = list(self._client.stream(f"/v1/tasks/{asked.task}", body))
        (raw,) = (event.data["raw"] for event in events if event.name == "result")
        pieces = "".join(event.data["text"] for event in events if event.name == "piece")
        self._judge.text(which, asked, raw, "a streamed task")
        self._judge.count("streamed tasks" if pieces == raw else f"fault: the pieces {pieces!r} are not {raw!r}")

    def detect(self, which: int) -> None:
        """Look for things of a class by a protocol of other programs; that it answers is all that is judged."""
        name = self._choose.choice(list(OTHERS))
        OTHERS[name](self._client, self._judge.pictures[which].file(), "star")
        self._judge.count(f"detected by {name}")

    def map(self, which: int) -> None:
        """Ask for the numbers of a map."""
        asked = self._choose.choice(MAPS)
        body = {"image": self._image(which), **asked.arguments, "options": OPTIONS}
        reply = self._client.send("POST", f"/v1/tasks/{asked.task}", body, Accept="application/octet-stream")
        if reply.status != 200:
            raise RefusedError(reply)
        self._judge.numbers(which, asked, reply.body)
        self._judge.count("maps")

    def several(self, which: int) -> None:
        """Run several tasks together."""
        chosen = self._choose.sample(TEXTS, 2)
        tasks = [{"task": asked.task, **asked.arguments} for asked in chosen]
        body = {"image": self._image(which), "tasks": tasks, "options": OPTIONS}
        results = self._client.post("/v1/tasks", body)["results"]
        for asked, result in zip(chosen, results, strict=True):
            self._judge.text(which, asked, result["raw"], "several tasks")
        self._judge.count("several tasks")

    def upload(self, which: int) -> None:
        """Send bytes that the server has not seen, perhaps to be read ahead; ask once, and delete them."""
        note = f"{self._number}.{next(self._notes)}"
        path = f"/v1/images{self._choose.choice(('', '?prepare=1'))}"
        image = self._client.post(path, self._judge.pictures[which].file(note), "image/png")["id"]
        asked = self._choose.choice(WORDS)
        body = {"image": image, **asked.arguments, "options": OPTIONS}
        try:
            self._judge.text(which, asked, self._client.post("/v1/tasks/ask", body)["raw"], "an upload")
        finally:
            gone = self._client.send("DELETE", f"/v1/images/{image}")
        self._judge.count("uploads" if gone.status in (204, 404) else f"fault: DELETE gave {gone.status}")

    def delete(self, which: int) -> None:
        """Delete an image that others ask about."""
        image = self._ids.pop(which, None)
        if image is not None:
            status = self._client.send("DELETE", f"/v1/images/{image}").status
            self._judge.count("deletions" if status in (204, 404) else f"fault: DELETE gave {status}")

    def hang_up(self, which: int) -> None:
        """Begin something and hang up: in a stream after some pieces, else after some time."""
        image, asked, dialect = self._image(which), self._choose.choice(WORDS), self._choose.choice(DIALECTS)
        if self._choose.random() < 0.5:
            events = dialect.stream(self._client, image, asked.question.prompt, 300)
            for _ in itertools.islice(events, self._choose.randint(0, 6)):
                pass
            self._client.close()
        else:
            self._drop(dialect.path, {**dialect.body(image, asked.question.prompt, 300), "stream": False})
        self._judge.count("hang-ups")

    def _drop(self, path: str, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        header = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        sent = f"{header}Content-Length: {len(data)}\r\n\r\n".encode() + data
        with closing(socket.create_connection(("127.0.0.1", self._port))) as connection:
            connection.sendall(sent[: self._choose.choice((len(sent), len(sent), len(sent) // 2))])
            time.sleep(self._choose.random() * 0.3)

    def err(self, _which: int) -> None:
        """Send something wrong; it must be refused as such."""
        method, path, body, type_ = self._choose.choice(WRONG_REQUESTS)
        reply = self._client.send(method, path, body, type_)
        good = 400 <= reply.status < 500 and "error" in reply.json()
        self._judge.count("wrong requests" if good else f"fault: {method} {path} {body!r} gave {reply.status}")
