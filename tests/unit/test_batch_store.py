"""A folder anywhere: files are whole or not there, and errors say what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import youtu_gguf as yg
from tests.object_store import object_store
from youtu_gguf.batch.addresses import absolute, is_local, joined, parent, shown, split
from youtu_gguf.batch.faults import FIRST_S, RETRIES, attempt
from youtu_gguf.batch.store import Store, read_at
from youtu_gguf.errors import OutputError


class Troubles:
    """What goes wrong at the object store: `status` for the next `left` requests that contain `words`."""

    def __init__(self) -> None:
        self.left, self.status, self.words = 0, 0, ""
        self.requests: list[str] = []

    def __call__(self, method: str, path: str) -> int | None:
        request = f"{method} {path}"
        self.requests.append(request)
        if self.words not in request or self.left == 0:
            return None
        self.left -= 1
        return self.status

    def begin(self, status: int, left: int, words: str = "") -> None:
        self.status, self.left, self.words = status, left, words
        self.requests.clear()


TROUBLES = Troubles()


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store(TROUBLES) as address:
        yield address


@pytest.fixture(params=["path", "file", "s3", "memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path, bucket: str) -> Iterator[Store]:
    """An empty folder on this machine, in an object store, and in two file systems of fsspec.

    fsspec's "local" is not among those that write a file whole.
    """
    yield Store(
        {
            "path": str(tmp_path / "out"),
            "file": (tmp_path / "out").as_uri(),
            "s3": f"{bucket}/{tmp_path.name}/out",
            "memory": f"memory://{tmp_path.name}/out",
            "local": f"fsspec+local://{tmp_path}/out",
        }[request.param]
    )


def test_a_store_holds_files_by_name(store: Store) -> None:
    assert store.files() == store.files("none") == {}
    assert store.read("parts/a b%20é.parquet") is None
    store.write("parts/a b%20é.parquet", b"first")
    before = store.files("parts")
    store.write("parts/a b%20é.parquet", b"second, longer")
    store.write("parts/.hidden", b"x")
    store.write("z", b"z")
    assert store.read("parts/a b%20é.parquet") == b"second, longer"
    with store.open("parts/a b%20é.parquet") as file:
        file.seek(-6, os.SEEK_END)
        assert bytes(file.read()) == b"longer"
    assert [*store.files()] == ["parts/a b%20é.parquet", "z"]
    assert [*store.files("parts", hidden=True)] == ["parts/.hidden", "parts/a b%20é.parquet"]
    assert [*store.files(deep=False)] == ["z"]
    assert store.files("parts")["parts/a b%20é.parquet"].size == len(b"second, longer")
    assert store.files("parts") != before
    store.remove("z")
    store.remove("z")
    assert store.read("z") is None


def test_a_missing_file_cannot_be_opened(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.open("none").read()
    assert read_at(f"{store.address}/none") is None


@pytest.fixture
def troubled(bucket: str) -> Iterator[tuple[Store, Troubles]]:
    store = Store(f"{bucket}/out")
    store.write("kept", b"old")
    yield store, TROUBLES
    TROUBLES.left = 0


FOR_EVER = 10**9


@pytest.mark.parametrize("status", [500, 503, 0])
def test_passing_troubles_of_a_store_are_survived(status: int, troubled: tuple[Store, Troubles]) -> None:
    store, troubles = troubled
    troubles.begin(status, 2)
    store.write("a", b"1")
    troubles.begin(status, 2)
    assert store.read("a") == b"1"
    troubles.begin(status, 2)
    assert "a" in store.files()
    troubles.begin(status, 2)
    store.remove("a")
    assert troubles.left == 0
    assert "a" not in store.files()


@pytest.mark.parametrize("words", ["partNumber=2", "uploadId=", "POST"])
def test_a_large_file_that_fails_in_the_middle_does_not_appear(words: str, troubled: tuple[Store, Troubles]) -> None:
    store, troubles = troubled
    for name in ("kept", "new"):
        troubles.begin(403, FOR_EVER, words)
        with pytest.raises(OutputError, match=f"expected to write s3://bucket/out/{name}; got: .*Set keys"):
            store.write(name, bytes(24 << 20))
        assert any("partNumber=" in request for request in troubles.requests) or words == "POST"
    troubles.left = 0
    assert store.read("kept") == b"old"
    assert store.read("new") is None
    assert [*store.files()] == ["kept"]


def test_a_small_file_is_one_request(troubled: tuple[Store, Troubles]) -> None:
    store, troubles = troubled
    troubles.begin(0, 0)
    store.write("kept", b"old")
    assert troubles.requests == ["PUT /bucket/out/kept"]


def test_what_keys_do_not_allow_is_said(troubled: tuple[Store, Troubles]) -> None:
    store, troubles = troubled
    calls: list[tuple[Callable[[], object], type[yg.YoutuError], str]] = [
        (lambda: store.read("kept"), yg.InputError, "read s3://bucket/out/kept"),
        (lambda: store.files("parts"), yg.InputError, "list s3://bucket/out/parts"),
        (lambda: store.write("kept", b""), OutputError, "write s3://bucket/out/kept"),
        (lambda: store.remove("kept"), OutputError, "delete s3://bucket/out/kept"),
    ]
    for call, kind, what in calls:
        troubles.begin(403, FOR_EVER)
        with pytest.raises(kind, match=f"expected to {what}; got: .*ACCESS_DENIED.* Set keys that may list, read"):
            call()


def test_a_missing_bucket_is_an_error_when_it_is_written_to(bucket: str) -> None:
    with pytest.raises(OutputError, match=r"NO_SUCH_BUCKET.* Create it, or correct its name\."):
        Store("s3://none/out").write("a", b"")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nope://bucket/x", "such as s3://bucket/folder; got nope://bucket/x: Protocol not known: nope"),
        ("az://c/x", "az://c/x needs a package that is missing: Install adlfs"),
        ("sftp://host/x", "paramiko"),
        ("s3://bucket/x?speed=1", "Unexpected query parameter"),
        ("file://host/x", "Write three slashes"),
    ],
)
def test_an_address_that_cannot_be_used_is_an_error(address: str, words: str) -> None:
    with pytest.raises(yg.InputError, match=re.escape(words)):
        Store(address)


def test_keys_in_an_address_are_not_shown(bucket: str) -> None:
    store = Store("s3://KEY:SECRET@none/out?region=us-east-1")
    assert str(store) == "s3://none/out"
    with pytest.raises(OutputError) as error:
        store.write("a", b"")
    assert "SECRET" not in str(error.value)


def trying(*ends: Exception | str) -> tuple[Callable[[], str], list[float]]:
    """Return a call that ends in these ways, one after the other, and a list for the pauses between."""
    left = iter(ends)

    def call() -> str:
        end = next(left)
        if isinstance(end, Exception):
            raise end
        return end

    return call, []


def test_passing_troubles_are_tried_again_after_growing_pauses() -> None:
    call, pauses = trying(OSError("AWS Error SLOW_DOWN"), ConnectionResetError(), TimeoutError(), "done")
    assert attempt(call, "read", "s3://bucket/x", sleep=pauses.append) == "done"
    assert len(pauses) == 3
    assert 0 < pauses[0] <= FIRST_S < pauses[2]


@pytest.mark.parametrize(
    ("message", "n_tries", "remedy"),
    [
        ("AWS Error NETWORK_CONNECTION during PutObject operation: curlCode: 6", RETRIES + 1, "Check the network"),
        ("AWS Error INTERNAL_FAILURE during GetObject operation", RETRIES + 1, "Check the address"),
        ("AWS Error UNKNOWN (HTTP status 400)", 1, "Check the address"),
        ("AWS Error INVALID_ACCESS_KEY_ID during ListObjectsV2", 1, "Set keys that are valid"),
        ("AWS Error SIGNATURE_DOES_NOT_MATCH during ListObjectsV2", 1, "Set keys that are valid"),
        ("Forbidden: 403", 1, "Set keys that may list"),
        ("[Errno 28] No space left on device", 1, "Free some space"),
    ],
)
def test_an_error_that_stays_says_what_to_do(message: str, n_tries: int, remedy: str) -> None:
    tries = []

    def call() -> None:
        tries.append(1)
        raise OSError(message)

    with pytest.raises(OutputError, match=rf"^expected to write s3://bucket/x; got: .*\. {remedy}"):
        attempt(call, "write", "s3://bucket/x", OutputError, sleep=lambda _s: None)
    assert len(tries) == n_tries


def test_errors_on_this_machine_are_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"Not a directory|exists"):
        Store(str(tmp_path / "file")).write("a", b"x")
    with pytest.raises(yg.InputError, match="expected to read"):
        Store(str(tmp_path)).read("file/a")


def test_addresses_have_parts() -> None:
    assert split("s3://bucket/a b/c%20?region=x&scheme=http") == ("s3://bucket", "a b/c%20", "?region=x&scheme=http")
    assert split("s3://bucket/img?.jpg") == ("s3://bucket", "img?.jpg", "")
    assert parent("s3://bucket/a/b?region=x") == ("s3://bucket/a?region=x", "b")
    assert parent("s3://bucket/b") == ("s3://bucket", "b")
    assert joined("s3://bucket?region=x", "a/b") == "s3://bucket/a/b?region=x"
    assert [is_local(name) for name in ("C:\\x", "C://x", "a:b", "file:///x", "s3://b", "fsspec+s3://b")] == (
        [True, True, True, True, False, False]
    )
    assert shown("abfs://container@account.dfs.core.windows.net/a") == "abfs://container@account.dfs.core.windows.net/a"
    assert absolute("s3://bucket/x") == "s3://bucket/x"
    assert absolute("x/../y") == f"{Path.cwd()}/x/../y"
