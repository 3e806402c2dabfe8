"""One driver for each output folder: never two, whatever comes in between, and a dead one keeps nobody away."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import youtu_gguf as yg
from youtu_gguf.batch.store import Store
from youtu_gguf.cluster.claim import BEAT_S, STALE_BEATS, Claim, Driver, Watch, ask, at_work, claims, highest, remove

ME = Driver("here", 1, "space", 1.0, "2026-11-27 08:00:00 UTC")
Steps = Generator[None, None, bool]


class Shelf(Store):
    """A store in a dict, which does one request after the other."""

    def __init__(self) -> None:
        self.address = "memory://shelf"
        self.held: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self.held.get(name)

    def write(self, name: str, data: bytes) -> None:
        self.held[name] = data

    def remove(self, name: str) -> None:
        self.held.pop(name, None)

    def files(self, below: str = "", **_how: bool) -> dict[str, None]:  # type: ignore[override]
        return dict.fromkeys(sorted(name for name in self.held if name.startswith(f"{below}/")))


def driving(store: Store, claim: str, holders: set[str], buries: str = "") -> Steps:
    """Ask once; if that succeeds, hold the folder for two steps, and give it up.

    Before that, delete the claim `buries`: of a driver that is late, and is taken for dead.
    """
    if buries:
        yield
        remove(store, buries)
    is_held, others = yield from ask(store, claim, ME)
    assert claim not in others
    if is_held:
        holders.add(claim)
        yield
        yield
        holders.discard(claim)
        remove(store, claim)
    return is_held


def orders(n_steps: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield every order in which drivers with so many steps can take them."""
    if not any(n_steps):
        yield ()
    for driver, left in enumerate(n_steps):
        if left:
            for rest in orders([n - (one == driver) for one, n in enumerate(n_steps)]):
                yield (driver, *rest)


@pytest.mark.parametrize(
    ("buries", "n_steps"),
    [(["", ""], [6, 6]), (["", "", ""], [3, 4, 4]), (["", "claim0"], [6, 7])],
    ids=["two", "three", "one buries the other"],
)
def test_no_order_of_requests_lets_two_drivers_hold_a_folder(buries: list[str], n_steps: list[int]) -> None:
    most: Counter[int] = Counter()
    for order in orders(n_steps):
        store, holders = Shelf(), set[str]()
        drivers = [driving(store, f"claim{n}", holders, buried) for n, buried in enumerate(buries)]
        n_held = 0
        for n in order:
            next(drivers[n], None)
            held = holders & claims(store)  # the others find out at their next check
            assert len(held) <= 1, f"two drivers hold the folder after {order}"
            n_held = max(n_held, len(held))
        most[n_held] += 1
    assert most[1] > 0  # orders in which one wins
    assert most[0] > 0  # those in which all withdraw, and would try again


def test_orders_are_all_orders() -> None:
    assert len(set(orders([3, 2]))) == len([*orders([3, 2])]) == 10


def test_a_driver_whose_claim_was_deleted_before_it_listed_does_not_hold_the_folder() -> None:
    store = Shelf()
    steps = ask(store, "late", ME)
    next(steps)
    next(steps)
    remove(store, "late")
    next(steps)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert end.value.value == (False, set())


def put(store: Store, claim: str, driver: Driver | None, beat: str | None) -> None:
    store.write(f"drivers/{claim}.json", json.dumps(asdict(driver)).encode() if driver else b"{")
    if beat is not None:
        store.write(f"drivers/{claim}.beat", beat.encode())


ELSEWHERE = replace(ME, space="another machine")


@pytest.mark.parametrize("driver", [ELSEWHERE, None], ids=["of another machine", "damaged"])
@pytest.mark.parametrize("beat", ["000012-3f2a11 4\n", None], ids=["held", "asking"])
def test_a_claim_is_deleted_when_its_driver_gave_no_sign_of_life_for_long(
    driver: Driver | None, beat: str | None
) -> None:
    store, now = Shelf(), [0.0]
    put(store, "other", driver, beat)
    watch = Watch(store, silent_s=30.0, now=lambda: now[0])
    for now[0] in (0.0, 29.9):
        assert [one.id for one in watch.look(claims(store))] == ["other"]
    now[0] = 30.0
    assert watch.look(claims(store)) == []
    assert store.held == {}
    assert watch.highest == (12 if beat else 0)


def test_a_driver_elsewhere_that_gives_a_sign_of_life_is_at_work() -> None:
    store, now = Shelf(), [0.0]
    put(store, "other", ELSEWHERE, "000001-3f2a11 4\n")
    watch = Watch(store, silent_s=30.0, now=lambda: now[0])
    watch.look(claims(store))
    now[0] = 40.0  # late, but this process was late too
    put(store, "other", ELSEWHERE, "000001-3f2a11 5\n")
    with pytest.raises(yg.InputError, match=r"a driver is at work in it \(process 1 on here, since 2026-11-27 08:00"):
        watch.look(claims(store))


def test_a_claim_that_comes_to_be_held_while_it_is_watched_is_at_work() -> None:
    store = Shelf()
    put(store, "other", ELSEWHERE, None)
    watch = Watch(store, silent_s=30.0, now=lambda: 0.0)
    watch.look(claims(store))
    put(store, "other", ELSEWHERE, "000001-3f2a11 0\n")
    with pytest.raises(yg.InputError, match="at work"):
        watch.look(claims(store))


def test_a_process_with_the_pid_of_a_dead_driver_is_not_the_driver() -> None:
    store = Shelf()
    driver = Driver.of_this_process()
    put(store, "other", replace(driver, started=driver.started - 3600.0), "000001-3f2a11 4\n")
    assert at_work(store) == []
    assert Watch(store, silent_s=30.0, now=lambda: 0.0).look(claims(store)) == []


@pytest.mark.parametrize(
    ("names", "number"), [([], 0), (["parts/000007-3f2a11-000002.parquet", "000012-ab 3", "x/99-b", "y"], 12)]
)
def test_the_highest_number_of_a_run_is_found_in_names(names: list[str], number: int) -> None:
    assert highest(names) == number


def test_runs_of_a_folder_have_rising_numbers_and_leave_no_claim(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    runs = []
    for _ in range(2):
        with Claim(store) as claim:
            runs.append(claim.run)
            store.write(f"parts/{claim.run}-000000.parquet", b"x")
            claim.check()
    assert [run[:7] for run in runs] == ["000001-", "000002-"]
    assert [*store.files("drivers", hidden=True)] == []


def test_a_second_driver_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with Claim(store) as first:
        with pytest.raises(yg.InputError, match="to be free; a driver is at work in it") as refused, Claim(store):
            pass
        assert "end it, or name another folder" in str(refused.value)
        assert len(claims(store)) == 1
        first.check()


def test_many_drivers_at_once_hold_a_folder_one_after_the_other(tmp_path: Path) -> None:
    store, holds, most = Store(str(tmp_path)), [], []
    refused, runs = [], []

    def drive() -> None:
        try:
            with Claim(store, beat_s=0.05) as claim:
                holds.append(claim)
                most.append(len(holds))
                runs.append(claim.run)
                store.write(f"parts/{claim.run}-000000.parquet", b"x")
                time.sleep(0.02)
                holds.remove(claim)
        except yg.InputError as exc:
            refused.append(exc)

    threads = [threading.Thread(target=drive) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(runs) + len(refused) == 6
    assert len({run[:6] for run in runs}) == len(runs)
    assert claims(store) == set()


def test_a_driver_whose_claim_is_gone_is_told_so(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    with Claim(store, beat_s=0.01) as claim:
        for name in claims(store):
            remove(store, name)
        other = Driver.of_this_process()
        put(store, "other", other, "000002-ab 0\n")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                claim.check()
            except yg.EngineError as exc:
                assert f"Other drivers: process {other.pid}" in str(exc)
                break
            time.sleep(0.01)
        else:
            pytest.fail("the driver was not told")
    assert claims(store) == {"other"}


def test_signs_of_life_go_on_while_the_folder_is_held(tmp_path: Path) -> None:
    store, beats = Store(str(tmp_path)), set[bytes | None]()
    with Claim(store, beat_s=0.01):
        (name,) = claims(store)
        deadline = time.monotonic() + 10
        while len(beats) < 3 and time.monotonic() < deadline:
            beats.add(store.read(f"drivers/{name}.beat"))
    assert len(beats) >= 3


def test_the_next_driver_on_this_machine_starts_at_once_after_a_kill(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom youtu_gguf.batch.store import Store\nfrom youtu_gguf.cluster.claim import Claim\n"
        "with Claim(Store(sys.argv[1])) as claim:\n    print(claim.run, flush=True)\n    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            run = driver.stdout.readline()
            assert at_work(Store(str(tmp_path)))[0].startswith(f"process {driver.pid} on ")
        finally:
            driver.kill()
    told: list[str] = []
    with Claim(Store(str(tmp_path)), told.append) as claim:
        assert claim.run > run
    assert told == []


def test_others_wait_longer_than_a_store_has_passing_troubles() -> None:
    from youtu_gguf.batch.faults import FIRST_S, LONGEST_S, RETRIES

    pauses = sum(min(LONGEST_S, FIRST_S * 2**n) for n in range(RETRIES))
    assert pauses + BEAT_S < STALE_BEATS * BEAT_S
