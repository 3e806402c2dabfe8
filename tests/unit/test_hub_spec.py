"""Models by name: the one that ships, and what Hugging Face tools have downloaded. Four bytes stand in for a model."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

import youtu_gguf as yg
from youtu_gguf.environment import hub_cache
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.hub.local import SHIPPED, find_in_cache, find_nano, find_pulled, locate
from youtu_gguf.hub.spec import NANO_MODEL, Spec

MODEL, F16 = "Youtu-VL-4B-Instruct-Q8_0.gguf", "Youtu-VL-4B-Instruct-F16.gguf"
MMPROJ = "mmproj-Youtu-VL-4b-Instruct-BF16.gguf"
SPEC = f"{REPOSITORY}:Q8_0"


def put(folder: Path, names: Iterable[str]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"GGUF")
    return folder


def snapshot(cache: Path, revision: str, *names: str, age: int = 0) -> Path:
    folder = put(cache / "models--tencent--Youtu-VL-4B-Instruct-GGUF" / "snapshots" / revision, names)
    os.utime(folder, (1e9 - age, 1e9 - age))
    return folder


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of our own, with no models of the user's in sight."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for variable in ("YOUTU_GGUF_MODEL", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    folder = put(tmp_path / "pair", [MODEL, MMPROJ])
    assert locate(folder / MODEL, tmp_path) == locate(str(folder / MODEL), tmp_path) == folder / MODEL
    assert locate(folder, tmp_path) == folder / MODEL


def test_a_repository_is_found_among_the_downloads(tmp_path: Path) -> None:
    folder = snapshot(tmp_path, "abc", MODEL, F16, MMPROJ)
    assert locate(SPEC, tmp_path) == folder / MODEL
    assert locate(f"{REPOSITORY}:f16", tmp_path) == folder / F16
    assert locate(REPOSITORY, tmp_path) == folder / MODEL  # the smaller encoding, where none is named


def test_the_newest_snapshot_that_holds_the_pair_is_taken(tmp_path: Path) -> None:
    snapshot(tmp_path, "a-old", MODEL, MMPROJ, age=300)
    wanted = snapshot(tmp_path, "b-newer", MODEL, MMPROJ, age=200)
    snapshot(tmp_path, "c-newest-without-projector", MODEL, age=100)
    assert find_in_cache(Spec(REPOSITORY), tmp_path) == wanted / MODEL


def refer(snapshot: Path, revision: str) -> None:
    reference = snapshot.parents[1] / "refs" / revision
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_text(snapshot.name)


def test_the_commit_recorded_for_the_branch_is_taken_not_the_newest(tmp_path: Path) -> None:
    old, new = "a" * 40, "b" * 40
    main = snapshot(tmp_path, old, MODEL, MMPROJ, age=300)
    tagged = snapshot(tmp_path, new, MODEL, MMPROJ)
    refer(main, "main")
    refer(tagged, "refs/pr/3")
    for revision, folder in ((None, main), ("main", main), ("refs/pr/3", tagged), (new, tagged), ("bbbbbbb", tagged)):
        assert find_in_cache(Spec(REPOSITORY, None, revision), tmp_path) == folder / MODEL
    for revision in ("v1", "bbb", "c" * 40):
        assert find_in_cache(Spec(REPOSITORY, None, revision), tmp_path) is None


def test_another_revision_is_not_taken_for_main_but_named(tmp_path: Path) -> None:
    refer(snapshot(tmp_path, "abc", MODEL, MMPROJ), "v1")
    with pytest.raises(yg.ModelFileError, match=rf"\({REPOSITORY}@v1 is there\)"):
        locate(REPOSITORY, tmp_path)
    refer(snapshot(tmp_path, "of another tool"), "main")
    snapshot(tmp_path, "older", F16, MMPROJ)
    with pytest.raises(yg.ModelFileError, match=rf"\({REPOSITORY}:F16@older is there\)"):
        locate(f"{REPOSITORY}:F16", tmp_path)


def test_an_encoding_that_is_not_there_is_not_replaced_by_another(tmp_path: Path) -> None:
    snapshot(tmp_path, "abc", F16, MMPROJ)
    assert find_in_cache(Spec(REPOSITORY, "Q8_0"), tmp_path) is None
    assert find_in_cache(Spec(REPOSITORY), tmp_path) is not None


@pytest.mark.parametrize("wanted", ["Q4_K_XL", "ud-q4_k_xl"])
def test_names_of_encodings_may_leave_out_who_made_them(wanted: str, tmp_path: Path) -> None:
    folder = snapshot(tmp_path, "abc", "m-UD-Q4_K_XL.gguf", "m-Q4_K_M.gguf", MMPROJ)
    assert find_in_cache(Spec(REPOSITORY, wanted), tmp_path) == folder / "m-UD-Q4_K_XL.gguf"


def test_a_folder_named_like_a_repository_is_a_folder(tmp_path: Path) -> None:
    folder = put(Path("some") / "repository", [MODEL, MMPROJ])
    assert locate("some/repository", tmp_path) == folder / MODEL


def test_without_a_name_the_models_folder_is_looked_at_before_the_downloads(tmp_path: Path) -> None:
    downloaded = snapshot(tmp_path, "abc", MODEL, MMPROJ)
    assert locate(None, tmp_path) == downloaded / MODEL
    put(Path("models"), ["another.gguf", F16, MMPROJ])
    assert locate(None, tmp_path) == Path("models") / F16


def test_models_of_others_are_not_taken_for_the_published_one(tmp_path: Path) -> None:
    put(Path("models"), ["llama-Q8_0.gguf", "Youtu-VL-nano-Q8_0.gguf", "mmproj-model.gguf"])
    assert find_pulled(Spec(REPOSITORY), tmp_path) is None


@pytest.mark.parametrize("wanted", [None, SPEC, REPOSITORY, "somebody/else:Q4_K_M"])
def test_what_is_not_there_is_an_error_that_says_how_to_get_it(wanted: str | None, tmp_path: Path) -> None:
    with pytest.raises(yg.ModelFileError, match=r'"nano".*YOUTU_GGUF_MODEL.*`youtu-gguf pull`'):
        locate(wanted, tmp_path)


@pytest.mark.parametrize("wanted", ["no/such.gguf", "nowhere", "a/b/c", "/no/such/folder", "a/b:c:d"])
def test_a_path_that_does_not_exist_is_named(wanted: str, tmp_path: Path) -> None:
    with pytest.raises(yg.ModelFileError, match=r"does not exist\. Check the path"):
        locate(wanted, tmp_path)


def test_a_name_that_the_file_system_refuses_is_a_model_file_error(tmp_path: Path) -> None:
    with pytest.raises(yg.ModelFileError, match=r"looking for it failed: .*too long"):
        locate("x" * 5000, tmp_path)


def test_nano_is_the_pair_that_ships(tmp_path: Path) -> None:
    shipped = put(tmp_path / "models" / "nano", [NANO_MODEL, f"mmproj-{NANO_MODEL}"])
    assert find_nano([tmp_path / "not installed", shipped]) == shipped / NANO_MODEL


def test_nano_is_looked_for_in_the_package_and_in_the_checkout() -> None:
    package = Path(yg.__file__).parent
    assert list(SHIPPED) == [package / "models" / "nano", package.parent / "models" / "nano"]


def test_a_package_without_nano_says_so(tmp_path: Path) -> None:
    with pytest.raises(yg.ModelFileError, match="complete checkout or wheel"):
        find_nano([tmp_path])


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "home/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "xdg"}, "xdg/huggingface/hub"),
        ({"XDG_CACHE_HOME": "xdg", "HF_HOME": "hf"}, "hf/hub"),
        ({"HF_HOME": "hf", "HUGGINGFACE_HUB_CACHE": "older"}, "older"),
        ({"HF_HOME": "hf", "HUGGINGFACE_HUB_CACHE": "older", "HF_HUB_CACHE": "cache"}, "cache"),
        ({"HF_HUB_CACHE": "~/cache"}, "home/cache"),
        ({"HF_HUB_CACHE": "$HOME/cache"}, "home/cache"),
    ],
)
def test_downloads_are_looked_for_where_the_tools_put_them(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "home")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert hub_cache() == Path(folder)


def test_the_variable_may_hold_a_name_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("YOUTU_GGUF_MODEL", SPEC)
    with pytest.raises(yg.ModelFileError, match=f"{SPEC} is not a path"):
        yg.load()
