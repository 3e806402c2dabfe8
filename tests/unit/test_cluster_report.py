"""What is told of a run on a cluster while it runs, and at its end."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable

import pytest

from youtu_gguf.cli.cluster import Pace, duration, print_summary, ray_silenced
from youtu_gguf.cluster import Report
from youtu_gguf.cluster.actor import Summary


def summary(shard: str, node: str = "a", n: int = 4, broken: tuple[str, ...] = (), attempt: int = 1) -> Summary:
    return Summary(shard, node, n, [(name, "InputError: no") for name in broken], 2.0, attempt)


def test_images_of_shards_in_progress_count_until_their_summary_comes() -> None:
    report = Report()
    report.begin(12, ["old.png"], 2)
    report.follow({"s1": (3, 1), "s2": (2, 0)})
    assert (report.seen, report.broken_now, report.broken) == (5, 1, 1)
    report.count(summary("s1", broken=("x.png",)))
    report.follow({"s1": (4, 1), "s2": (3, 0)})  # told before the summary came
    assert (report.done, report.seen, report.broken_now, report.broken) == (4, 7, 1, 2)
    assert report.named == ["old.png", "x.png"]


def test_the_summary_says_what_each_machine_did(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report(seconds=60.0)
    report.begin(12, [], 0)
    report.count(summary("s1", "a"))
    report.count(summary("s2", "b", broken=("x.png",), attempt=2))
    print_summary(report)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "8 of 12 images finished: 8 now, in 60.0 s (8.0 per minute), 0 earlier; 1 with errors",
        "  b: 4 images, 0.50 s each, 1 with errors, 1 shards begun again",
        "  a: 4 images, 0.50 s each",
    ]
    assert err == "With errors: x.png.\n"


@pytest.fixture
def clock() -> Callable[[float], float]:
    now = [0.0]

    def move(by: float = 0.0) -> float:
        now[0] += by
        return now[0]

    return move


def test_time_before_the_first_image_does_not_count(clock: Callable[[float], float]) -> None:
    pace = Pace(lambda: clock(0))
    pace.see(0)
    clock(300)  # the model is loaded
    pace.see(1)
    assert pace.per_s is None
    clock(10)
    pace.see(11)
    assert pace.per_s == 1
    assert pace.left_s(90) == 90
    clock(10)  # nothing comes: the rate falls
    pace.see(11)
    assert pace.per_s == 0.5


def test_the_rate_is_that_of_the_last_minutes(clock: Callable[[float], float]) -> None:
    pace = Pace(lambda: clock(0))
    for n in range(1, 100):
        clock(20)
        pace.see(n if n < 50 else 50 + (n - 50) * 10)  # machines have come
    assert pace.per_s == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (59.8, "1 min"), (150, "2 min"), (7800, "2 h 10 min"), (273_600, "3 d 4 h")],
)
def test_times_are_told_in_two_units_at_most(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_threads_of_ray_print_does_not_reach_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_BACKEND_LOG_LEVEL", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with ray_silenced():
        noise = threading.Thread(target=print, args=("(raylet) A worker died",), name="ray_listen_error_messages")
        noise.start()
        noise.join()
        print("ours")
    assert sys.stdout.getvalue() == "ours\n"
