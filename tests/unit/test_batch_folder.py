"""The output folder of a batch in shards: its settings, and what --restart deletes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import youtu_gguf as yg
from youtu_gguf.batch import Journal
from youtu_gguf.batch.folder import check_settings
from youtu_gguf.batch.store import Store

SETTINGS = {"tasks": ["detect car"], "options": {"seed": 1}}


@pytest.fixture
def out(tmp_path: Path) -> Store:
    store = Store(str(tmp_path / "out"))
    check_settings(store, SETTINGS)
    store.write("parts/000001-3f2a11-000000.parquet", b"part")
    store.write("attempts/000001-3f2a11-000001-1.json", b"{}")
    return store


def test_the_same_settings_are_accepted_again(out: Store) -> None:
    before = out.files()
    check_settings(out, SETTINGS)
    assert out.files() == before
    assert json.loads(out.read("settings.json") or b"")["cluster"] == 1


def test_other_settings_are_refused_in_the_words_of_the_journal(out: Store, tmp_path: Path) -> None:
    other = SETTINGS | {"options": {"seed": 2}}
    with pytest.raises(yg.InputError, match=r"other settings \(options.seed: 1 before, 2 now\)") as in_shards:
        check_settings(out, other)
    Journal(tmp_path / "plain", SETTINGS).close()
    with pytest.raises(yg.InputError) as plain:
        Journal(tmp_path / "plain", other)
    assert str(plain.value).replace("plain", "out") == str(in_shards.value)


def test_restart_deletes_what_the_batch_wrote_and_nothing_else(out: Store) -> None:
    for name in ("parts/mine.parquet", "attempts/notes.txt", "photo.png", "drivers/a.json"):
        out.write(name, b"mine")
    check_settings(out, SETTINGS | {"tasks": ["depth"]}, restart=True)
    assert [*out.files()] == [
        "attempts/notes.txt",
        "drivers/a.json",
        "parts/mine.parquet",
        "photo.png",
        "settings.json",
    ]
    assert json.loads(out.read("settings.json") or b"")["tasks"] == ["depth"]


@pytest.mark.parametrize("damaged", [b"", b"[1]", b"{", None])
def test_parts_with_damaged_or_missing_settings_are_refused_until_restarted(out: Store, damaged: bytes | None) -> None:
    out.remove("settings.json")
    if damaged is not None:
        out.write("settings.json", damaged)
    with pytest.raises(yg.InputError, match="settings"):
        check_settings(out, SETTINGS)
    check_settings(out, SETTINGS, restart=True)
    assert [*out.files()] == ["settings.json"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_folder_of_either_kind_is_refused_by_the_other_and_stays(restart: bool, out: Store, tmp_path: Path) -> None:
    before = out.files()
    with pytest.raises(yg.InputError, match="is the output of `youtu-gguf batch --cluster`"):
        Journal(tmp_path / "out", SETTINGS, restart=restart)
    assert out.files() == before
    Journal(tmp_path / "plain", SETTINGS).close()
    with pytest.raises(yg.InputError, match="is no output of `youtu-gguf batch --cluster`"):
        check_settings(Store(str(tmp_path / "plain")), SETTINGS, restart=restart)
    Journal(tmp_path / "plain", SETTINGS).close()


def test_settings_of_another_version_are_not_compared(out: Store) -> None:
    out.write("settings.json", json.dumps({"format": 3, "cluster": 0}).encode())
    with pytest.raises(yg.InputError, match="another version of this package"):
        check_settings(out, SETTINGS)
