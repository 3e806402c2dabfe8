"""One driver for each output folder, wherever the folder is: object stores have no locks.

A driver that wants the folder writes a claim, `drivers/ID.json`, under an ID that no claim had before, and then lists
the claims. It holds the folder if that list has its own claim and no other. Otherwise it deletes its own, and tries
again after a random wait, or gives up where another one is at work.

**Never two at once.** Let A and B both hold the folder, and let A have been the first to write its claim. B wrote its
own before it listed, so A's claim was written before B listed; B did not see it, so it was deleted by then. A deletes
its claim only when it gives up the folder. So somebody else did: who watches a claim deletes it if its process is known
to be dead, or if nothing was heard of it for `STALE_BEATS` beats. A is then dead, or it is late; a late one finds its
claim missing, since claims are never written again, and stops: `Claim.check` comes before each shard. All this needs is
that a list contains what was written before it began, which S3, GCS, Azure, HDFS and local disks give. Of NFS, see
docs/cluster.md. Clocks of two machines are never compared.

A driver that is late may still write the parts of its last shards. Nothing is lost by that, nor written over: parts are
named after the run, and no two runs have one name.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from youtu_gguf.atomic import json_bytes
from youtu_gguf.batch.attempts import FOLDER as ATTEMPTS
from youtu_gguf.batch.parts import PARTS
from youtu_gguf.batch.store import Store
from youtu_gguf.errors import EngineError, InputError, YoutuError
from youtu_gguf.machine import pid_space, start_of

DRIVERS = "drivers"
"""Folder of the claims in the output folder."""

BEAT_S = 10.0
"""A driver that holds the folder writes a sign of life after each such time. Three of them are longer than a store's
passing troubles may take (`batch.faults`)."""

STALE_BEATS = 3
"""A driver that gave no sign of life for so many beats is taken for dead."""

POLL_S = 1.0
"""Time between two looks at the claims of others, on average."""

TRUST_S = 1.0
"""`Claim.check` does not look again within such a time."""

CLOCK_S = 2.0
"""Largest difference between two readings of the start of one process: they move when the clock is set."""

NUMBERED = (PARTS, ATTEMPTS)
"""Folders whose files begin with the number of their run."""

T = TypeVar("T")

_NUMBER = re.compile(r"(?:.*/)?(\d{6,})-")


@dataclass(frozen=True)
class Driver:
    """Who claims a folder.

    Attributes:
        host: Name of the machine.
        pid: Its process.
        space: Where that pid means this process: see `machine.pid_space`.
        started: When the process started, in seconds since the epoch, by that machine's clock.
        since: When it claimed the folder, for people: UTC.
    """

    host: str
    pid: int
    space: str
    started: float
    since: str

    @classmethod
    def of_this_process(cls) -> Self:
        """Return this process as a driver that claims a folder now."""
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return cls(platform.node(), os.getpid(), pid_space(), start_of(os.getpid()) or 0.0, now)

    def lives(self) -> bool | None:
        """Return whether the process runs; None where that cannot be seen from here."""
        if self.space != pid_space():
            return None
        started = start_of(self.pid)
        return started is not None and abs(started - self.started) <= CLOCK_S

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


@dataclass(frozen=True)
class Met:
    """The claim of another driver.

    Attributes:
        id: Its name.
        driver: Who; None where the file is not what a driver writes.
        beat: Its last sign of life; None where it did not hold the folder yet.
    """

    id: str
    driver: Driver | None
    beat: bytes | None


def claims(store: Store) -> set[str]:
    """Return the IDs of all claims."""
    start = len(DRIVERS) + 1
    return {name[start:-5] for name in store.files(DRIVERS, deep=False) if name.endswith(".json")}


def ask(store: Store, claim: str, driver: Driver) -> Generator[None, None, tuple[bool, set[str]]]:
    """Try once to become the only driver. Yields before each request, where other drivers may come in between.

    Returns:
        Whether the folder is held; if not, the claims of others, and its own claim is deleted.
    """
    yield
    store.write(f"{DRIVERS}/{claim}.json", json_bytes(asdict(driver)))
    yield
    there = claims(store)
    if there == {claim}:
        return True, set()
    yield
    store.remove(f"{DRIVERS}/{claim}.json")
    return False, there - {claim}


def remove(store: Store, claim: str) -> None:
    """Delete a claim, and then its sign of life."""
    store.remove(f"{DRIVERS}/{claim}.json")
    store.remove(f"{DRIVERS}/{claim}.beat")


def met(store: Store, claim: str) -> Met | None:
    """Return the claim of another driver; None if it is gone."""
    beat = store.read(f"{DRIVERS}/{claim}.beat")
    data = store.read(f"{DRIVERS}/{claim}.json")
    if data is None:
        return None
    try:
        return Met(claim, Driver(**json.loads(data)), beat)
    except (ValueError, TypeError):
        return Met(claim, None, beat)


def at_work(store: Store) -> list[str]:
    """Return in words which drivers are at work in a folder, or may be: one on another machine may be dead."""
    found = (met(store, claim) for claim in sorted(claims(store)))
    return [
        "another driver" if one.driver is None else str(one.driver)
        for one in found
        if one is not None and (one.driver is None or one.driver.lives() is not False)
    ]


class Watch:
    """Looks at the claims of others until they are gone, or one is known to be at work.

    Args:
        store: The output folder.
        silent_s: Seconds without a sign of life after which a driver is taken for dead.
        now: A clock of this process, in seconds.

    Attributes:
        highest: The highest number of a run of those that were seen.
    """

    def __init__(self, store: Store, silent_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._silent_s = silent_s
        self._now = now
        self._seen: dict[str, tuple[Met, float]] = {}
        self.highest = 0

    def look(self, ids: Iterable[str]) -> list[Met]:
        """Look at claims, and delete those of the dead. Return those that are left.

        Raises:
            InputError: A driver is at work.
        """
        left = []
        for claim in ids:
            one = met(self._store, claim)
            if one is None:
                continue
            self.highest = max(self.highest, highest([(one.beat or b"").decode(errors="replace")]))
            lives = None if one.driver is None else one.driver.lives()
            first, since = self._seen.setdefault(claim, (one, self._now()))
            if one.beat is not None and (lives or (lives is None and one.beat != first.beat)):
                raise InputError(
                    f"expected {self._store} to be free; a driver is at work in it ({one.driver or claim}). Wait until "
                    "it has ended, end it, or name another folder."
                )
            if one != first:
                self._seen[claim] = one, self._now()
            elif lives is False or (lives is None and self._now() - since >= self._silent_s):
                remove(self._store, claim)
                continue
            left.append(one)
        return left


def highest(names: Iterable[str]) -> int:
    """Return the highest number of a run that names begin with; 0 where there is none."""
    return max((int(match[1]) for name in names if (match := _NUMBER.match(name))), default=0)


class Claim:
    """The right to drive runs of an output folder: a context manager.

    Args:
        store: The output folder.
        told: Is told why it takes long, if it does.
        beat_s: Seconds between two signs of life.

    Attributes:
        run: The name of this run, such as "000007-3f2a11": higher than those of all earlier runs, and of this run only.

    Raises:
        InputError: Another driver is at work in the folder, or it cannot be read.
        OutputError: It cannot be written to.
    """

    def __init__(
        self, store: Store, told: Callable[[str], object] = lambda _words: None, *, beat_s: float = BEAT_S
    ) -> None:
        self.run = ""
        self._store = store
        self._told = told
        self._beat_s = beat_s
        self._id = ""
        self._lost = False
        self._verified = 0.0
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None

    def __enter__(self) -> Self:
        watch = Watch(self._store, STALE_BEATS * self._beat_s)
        self._id = self._acquired(watch)
        try:
            self.run = f"{1 + max(self._last_run(), watch.highest):06}-{self._id[:6]}"
            self._beat(0)
        except BaseException:
            self._give_up(self._id)
            raise
        self._verified = time.monotonic()
        self._heart = threading.Thread(target=self._live, name="youtu-gguf claim", daemon=True)
        self._heart.start()
        return self

    def check(self) -> None:
        """Make sure that this driver still holds the folder. To be called before each shard.

        Raises:
            EngineError: It does not: it was silent for too long, and its claim was deleted.
            InputError: The folder cannot be read.
        """
        if not self._lost and time.monotonic() - self._verified > TRUST_S:
            self._verify()
        if self._lost:
            others = "; ".join(at_work(self._store)) or "none is there now"
            raise EngineError(
                f"expected this driver's claim in {self._store}/{DRIVERS}; it was deleted, because it gave no sign of "
                f"life for {STALE_BEATS * self._beat_s:.0f} s or by hand. Other drivers: {others}. What is finished is "
                "kept. Run the same command again when no other driver is at work."
            )

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
        self._give_up(self._id)

    def _acquired(self, watch: Watch) -> str:
        driver = Driver.of_this_process()
        is_told = False
        while True:
            left = watch.look(claims(self._store))
            if not left:
                claim = secrets.token_hex(8)
                try:
                    is_held, _ = _in_one_go(ask(self._store, claim, driver))
                except BaseException:
                    self._give_up(claim)
                    raise
                if is_held:
                    return claim
            elif not is_told:
                is_told = True
                self._told(
                    f"Waiting up to {STALE_BEATS * self._beat_s:.0f} s for signs of life of another driver of "
                    f"{self._store}: {'; '.join(str(one.driver or one.id) for one in left)}."
                )
            time.sleep(random.uniform(0.5, 1.5) * min(POLL_S, self._beat_s))

    def _last_run(self) -> int:
        """Return the number of the last run before this one, and delete signs of life without a claim."""
        last = highest(name for folder in NUMBERED for name in self._store.files(folder))
        for name in self._store.files(DRIVERS, deep=False):
            if name.endswith(".beat"):
                last = max(last, highest([(self._store.read(name) or b"").decode(errors="replace")]))
                self._store.remove(name)
        return last

    def _beat(self, n: int) -> None:
        self._store.write(f"{DRIVERS}/{self._id}.beat", f"{self.run} {n}\n".encode())

    def _live(self) -> None:
        """Give signs of life as long as the claim is there."""
        for n in itertools.count(1):
            if self._ended.wait(self._beat_s):
                return
            with suppress(YoutuError):  # a store that does not answer: `check` says so
                self._verify()
                if self._lost:
                    return
                self._beat(n)

    def _verify(self) -> None:
        now = time.monotonic()
        if self._id in claims(self._store):
            self._verified = now
        else:
            self._lost = True

    def _give_up(self, claim: str) -> None:
        with suppress(YoutuError):  # the store does not answer; whoever comes next finds this process dead
            remove(self._store, claim)


def _in_one_go(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
