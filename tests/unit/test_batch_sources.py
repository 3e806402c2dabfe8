"""Images by path and by address: the same grammar, one listing of a folder, and what state each image is in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import youtu_gguf as yg
from tests.object_store import object_store
from youtu_gguf.batch import find_images
from youtu_gguf.batch.sources import MANY, find_items, fits
from youtu_gguf.batch.store import Store, read_at

FILES = [
    "photos/a.jpg", "photos/B.PNG", "photos/a/c d%20.jpg", "photos/a-1.jpg", "photos/.hidden/d.jpg", "photos/e.txt",
    "photos/[1].jpg", "photos/é.jpg",
]  # fmt: skip


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with object_store() as address:
        store = Store(address)
        for name in FILES:
            store.write(name, name.encode())
        yield address


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(name.encode())
    return tmp_path


NAMED = [
    ["photos"], ["photos/"], ["photos/*.jpg"], ["photos/**/*.jpg"], ["photos/**"], ["photos/?.jpg"], ["photos/*/*"],
    ["photos/[1].jpg"], ["photos/[ab].jpg"], ["photos/e.txt"], ["photos/a.jpg", "photos/none.jpg", "photos"],
    ["photos/none"], ["*/.hidden/*"], ["photos/.hidden"], ["photos/a*"],
]  # fmt: skip


@pytest.mark.parametrize("named", NAMED, ids=str)
def test_addresses_are_understood_as_paths_are(named: list[str], bucket: str, here: Path) -> None:
    local = find_items(named)
    assert [item.name for item in local] == [path.as_posix() for path in find_images(named)]
    stored = find_items([f"{bucket}/{name}" for name in named])
    assert [item.name for item in stored] == [f"{bucket}/{item.name}" for item in local]
    assert [item.etag is None for item in stored] == [item.etag is None for item in local]
    assert [item.name.endswith(("none", "none.jpg")) for item in local] == [item.etag is None for item in local]


def test_lists_mix_paths_addresses_folders_and_patterns(bucket: str, here: Path) -> None:
    names = [
        "photos/a.jpg",
        f"{bucket}/photos/a",
        "photos/?.jpg",
        "",
        "# no",
        f"{bucket}/photos/B.PNG",
        "photos/none.jpg",
    ]
    Path("list.txt").write_text("\n".join(names), encoding="utf-8")
    Store(bucket).write("lists/list.txt", "\n".join(names).encode())
    found = [item.name for item in find_items(["@list.txt"])]
    assert found == [
        "photos/a.jpg", f"{bucket}/photos/a/c d%20.jpg", "photos/é.jpg", f"{bucket}/photos/B.PNG", "photos/none.jpg",
    ]  # fmt: skip
    assert [item.name for item in find_items([f"@{bucket}/lists/list.txt"])] == found


def test_each_image_is_there_once(bucket: str, here: Path) -> None:
    names = ["photos", "photos/a.jpg", f"{bucket}/photos", f"{bucket}/photos/*.jpg"]
    found = [item.name for item in find_items(names)]
    assert len(set(found)) == len(found) == 2 * len(find_items(["photos"]))


@pytest.mark.parametrize("out", ["photos/a", "photos/a/", "photos"])
def test_folders_that_are_written_to_are_left_out(out: str, bucket: str, here: Path) -> None:
    kept = {"photos": []}.get(out, ["photos/a-1.jpg", "photos/a.jpg", "photos/é.jpg"])
    for start in ("", f"{bucket}/"):
        if kept:
            names = [item.name for item in find_items([f"{start}photos/**/[aéc]*.jpg"], leave_out=[start + out])]
            assert names == [start + name for name in kept]
        else:
            with pytest.raises(yg.InputError, match="found none"):
                find_items([f"{start}photos"], leave_out=[start + out])


def test_addresses_of_items_are_found_from_any_folder_and_name_the_same_bytes(
    bucket: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = find_items(["photos", f"{bucket}/photos", (here / "photos/e.txt").as_uri(), "photos/../photos/a.jpg"])
    monkeypatch.chdir("/")
    for item in items:
        assert (read_at(item.address) or b"").decode() == item.name[item.name.index("photos") :].replace(
            "photos/../", ""
        )
    assert items[-1].address == f"{here}/photos/../photos/a.jpg"


def test_the_etag_of_an_image_changes_with_it(here: Path) -> None:
    (before,) = find_items(["photos/a.jpg"])
    Path("photos/a.jpg").write_bytes(b"longer than before")
    (longer,) = find_items(["photos/a.jpg"])
    os.utime("photos/a.jpg", ns=(1, 1))
    (older,) = find_items(["photos/a.jpg"])
    assert len({before.etag, longer.etag, older.etag}) == 3
    assert find_items(["photos/a.jpg"]) == [older]


def test_the_etag_is_the_same_however_an_object_is_named(bucket: str) -> None:
    Store(bucket).write("many/0.jpg", b"0")
    for n in range(1, MANY):
        Store(bucket).write(f"many/{n}.jpg", bytes(n))
    listed = find_items([f"{bucket}/many"])
    one_by_one = find_items([item.name for item in listed])
    assert one_by_one == listed == find_items([item.name for item in listed[:3]]) + listed[3:]


def test_objects_of_one_folder_are_not_asked_for_one_by_one() -> None:
    requests: list[str] = []
    with object_store(lambda method, path: requests.append(f"{method} {path}")) as address:
        store = Store(address)
        for n in range(MANY):
            store.write(f"many/{n}.jpg", b"x")
        requests.clear()
        assert len(find_items([f"{address}/many"])) == MANY
        assert len(requests) <= 4  # what it is, and what is in it
        requests.clear()
        assert len(find_items([f"{address}/many/{n}.jpg" for n in range(MANY)])) == MANY
        assert len(requests) <= 2


def test_local_names_may_be_any_bytes(here: Path) -> None:
    name = os.fsdecode(b"photos/\xff.jpg")
    Path(name).write_bytes(b"x")
    assert name in [item.name for item in find_items(["photos"])]
    (item,) = find_items([name])
    assert read_at(item.address) == b"x"
    assert name in Store(str(here)).files()


@pytest.mark.parametrize("name", ["s3://none/photos", "s3://none/photos/a.jpg"])
def test_a_missing_bucket_is_said_to_be_missing(name: str, bucket: str) -> None:
    with pytest.raises(yg.InputError, match=r"s3://none; it does not exist\. Create it"):
        find_items([name])


@pytest.mark.parametrize("name", ["@none.txt", "@s3://bucket/none.txt", "@memory://none"])
def test_a_missing_list_is_an_error(name: str, bucket: str, here: Path) -> None:
    with pytest.raises(yg.InputError, match="expected a list of images"):
        find_items([name])


def test_keys_in_an_address_are_not_in_names() -> None:
    with object_store() as address:
        Store(address).write("photos/a.jpg", b"x")
        for name in ("photos/a.jpg", "photos", "photos/*.jpg"):
            given = f"s3://KEY:SECRET@bucket/{name}?region=us-east-1"
            (item,) = find_items([given])
            assert item.name == f"{address}/photos/a.jpg"
            assert item.address == "s3://KEY:SECRET@bucket/photos/a.jpg?region=us-east-1"
            assert read_at(item.address) == b"x"


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("**/*.jpg", ["a.jpg", "x/a.jpg", "x/y/a.jpg"]), ("*/*.jpg", ["x/a.jpg"]), ("x/**", ["x/a.jpg", "x/y/a.jpg"]),
     ("**", ["a.jpg", "x/a.jpg", "x/y/a.jpg"]), (".*/*", [".h/a.jpg"]), ("?/**/a*", ["x/a.jpg", "x/y/a.jpg"])],
)  # fmt: skip
def test_patterns_are_those_of_glob(pattern: str, names: list[str]) -> None:
    files = ["a.jpg", "x/a.jpg", "x/y/a.jpg", ".h/a.jpg", "x/.a.jpg"]
    assert [file for file in files if fits(file.split("/"), pattern.split("/"))] == names
