"""What becomes of pulled models: loaded by name, listed, found and deleted."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

import youtu_gguf as yg
from tests import loopback_hub as hubs
from tests.loopback_hub import COMMIT, MODEL, PROJECTOR, REPOSITORY, Hub
from youtu_gguf.cli.main import app
from youtu_gguf.hub.spec import DEFAULT_SPEC, REMEDY, Spec, parse_spec

SPEC = f"{REPOSITORY}:Q8_0"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache and a working folder of its own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    return tmp_path / "cache"


def run(*arguments: str) -> str:
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def error(code: int, *arguments: str) -> str:
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == code, outcome.output
    return outcome.stderr


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("a/b", Spec("a/b")),
        ("a/b:Q4_K_M", Spec("a/b", "Q4_K_M")),
        ("a/b@v1", Spec("a/b", None, "v1")),
        ("a-1/b.c_d:Q8_0@refs/pr/3", Spec("a-1/b.c_d", "Q8_0", "refs/pr/3")),
        (str(DEFAULT_SPEC), DEFAULT_SPEC),
    ],
)
def test_a_spec_is_read_as_it_is_written(text: str, spec: Spec) -> None:
    assert parse_spec(text) == spec
    assert str(spec) == text


@pytest.mark.parametrize(
    "text", ["", "a", "a/b/c", "a/b:", "a/b@", "a/b:c:d", "../b", "a/..", "a b/c", "a/b\0", "ä/b", "a/b@../c", 3]
)
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(yg.InputError, match=r"expected ORG/NAME\[:QUANT\]\[@REVISION\]"):
        yg.weights.pull(text)


def test_load_pulls_a_spec_that_is_not_there_and_later_does_not_ask(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    stages: dict[str, None] = {}
    with yg.load(
        SPEC, threads=1, n_ctx=512, progress=lambda stage, _done, _total: stages.update({stage: None})
    ) as model:
        assert set(model.files) == {MODEL, PROJECTOR}
    assert list(stages) == ["pull", "load"]  # one line of a display can show these
    assert [r.levelno for r in caplog.records if "European Union" in r.message] == [logging.WARNING]
    n_requests = len(hub.tokens)
    with yg.load(SPEC, threads=1, n_ctx=512), yg.load(threads=1, n_ctx=512):
        assert len(hub.tokens) == n_requests


def test_load_without_a_name_fetches_nothing(hub: Hub) -> None:
    with pytest.raises(yg.ModelFileError, match=r"has not been downloaded.*`youtu-gguf pull`"):
        yg.load()
    assert hub.tokens == []


def test_load_offline_says_what_is_missing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(yg.ModelFileError) as caught:
        yg.load(SPEC)
    assert SPEC in str(caught.value) and REMEDY in str(caught.value)
    assert hub.tokens == []


def test_the_command_pulls_lists_finds_and_deletes(hub: Hub, cache: Path) -> None:
    folder = cache / f"models--{REPOSITORY.replace('/', '--')}" / "snapshots" / COMMIT
    files = [str(folder / MODEL), str(folder / PROJECTOR)]
    assert run("pull").splitlines() == files
    assert run("path").splitlines() == run("path", SPEC).splitlines() == files
    listed = json.loads(run("list", "--json"))["models"]
    assert [(row["name"], row["problem"]) for row in listed] == [("nano", None), (SPEC, None)]
    assert f"{SPEC}  " in run("list")
    size = sum(len(hub.files[name]) for name in (MODEL, PROJECTOR))
    assert run("rm", "--yes", SPEC) == f"{size / 1e6:.1f} MB freed\n"
    assert not folder.parents[1].exists()
    assert "it is not there" in error(3, "rm", "--yes", SPEC)
    assert "has not been downloaded" in error(3, "path")


def test_models_in_the_working_folder_are_found(hub: Hub) -> None:
    assert run("pull", "--here").splitlines() == [f"models/{MODEL}", f"models/{PROJECTOR}"]
    assert run("path").splitlines() == run("path", SPEC).splitlines() == [f"models/{MODEL}", f"models/{PROJECTOR}"]
    assert f"models/{MODEL}" in run("list")
    with yg.load(SPEC, threads=1, n_ctx=512) as model:
        assert set(model.files) == {MODEL, PROJECTOR}
    assert "not among the downloads" in error(3, "path", f"{SPEC}@{COMMIT}")


def test_one_of_two_encodings_is_deleted_without_the_projector(hub: Hub, cache: Path) -> None:
    other = "Youtu-VL-4B-Instruct-Q4_K_M.gguf"
    hub.files[other] = hub.files[MODEL][:-1] + b"x"
    run("pull")
    run("pull", f"{REPOSITORY}:Q4_K_M")
    assert hub.sent(PROJECTOR) == len(hub.files[PROJECTOR])
    assert yg.weights.remove(f"{REPOSITORY}:q4_k_m") == len(hub.files[other])
    assert Path(run("path", SPEC).splitlines()[0]).read_bytes() == hub.files[MODEL]
    assert len(list(cache.glob("models--*/blobs/*"))) == 2
    yg.weights.remove(REPOSITORY)
    assert not list(cache.glob("models--*"))


def test_what_broke_off_is_listed_and_deleted_too(hub: Hub, cache: Path, naps: list[float]) -> None:
    hub.troubles = [hubs.fine, *[hubs.cut_at(60_000)] * 5]
    assert "kept, and the next try resumes it" in error(3, "pull")
    assert "unfinished: 0.1 MB of" in run("list")
    assert [part["n_bytes"] for part in json.loads(run("list", "--json"))["unfinished"]] == [60_000]
    assert yg.weights.remove(REPOSITORY) == 60_000 + len(hub.files[PROJECTOR])
    assert "unfinished" not in run("list")


def test_models_of_other_programs_are_not_listed(cache: Path) -> None:
    folder = cache / "models--somebody--else" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    (folder / "llama.gguf").write_bytes(b"GGUF")
    (folder / "mmproj-llama.gguf").write_bytes(b"GGUF")
    assert [pair.name for pair in yg.weights.list_models()] == ["nano"]


def test_a_damaged_download_is_listed_as_unusable(hub: Hub) -> None:
    model = Path(run("pull", "--here").splitlines()[0])
    model.write_bytes(model.read_bytes()[:-1000])
    assert "truncated" in run("list")


def test_deleting_asks_or_wants_to_be_told(hub: Hub) -> None:
    run("pull")
    assert "expected --yes" in error(2, "rm", SPEC)
    assert "expected ORG/NAME" in error(2, "rm", "--yes", "nano")
    run("path", SPEC)


def test_two_places_at_once_are_refused(hub: Hub) -> None:
    assert "--dir FOLDER or --here; got both" in error(2, "pull", "--here", "--dir", "x")


def test_files_that_were_linked_by_a_copy_are_deleted_too(hub: Hub, cache: Path) -> None:
    """Where links are not to be had, huggingface-hub puts the files themselves under their names."""
    run("pull")
    for path in cache.glob("models--*/snapshots/*/*.gguf"):
        blob = path.resolve()
        path.unlink()
        shutil.move(blob, path)
    yg.weights.remove(SPEC)
    assert not list(cache.glob("models--*"))


@pytest.mark.parametrize("folder", ["", 3, "a\0b"])
def test_what_is_no_folder_is_refused(hub: Hub, folder: object) -> None:
    with pytest.raises(yg.InputError, match="folder must be a path; got"):
        yg.weights.pull(SPEC, folder)  # type: ignore[arg-type]
    assert hub.tokens == []


@pytest.mark.parametrize("wanted", [3, "a\0b", ["x"], b"nano"])
def test_what_names_no_model_is_refused(wanted: object) -> None:
    for call in (yg.load, yg.weights.find, yg.weights.plan):
        with pytest.raises(yg.ModelFileError, match="expected"):
            call(wanted)  # type: ignore[operator]


def test_a_folder_serves_offline_too(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled = yg.weights.pull(SPEC, "here")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert yg.weights.pull(SPEC, "here").model == pulled.model
    with pytest.raises(yg.ModelFileError, match=r"HF_HUB_OFFLINE is set\. Unset it"):
        yg.weights.pull(SPEC, "there")


def test_a_plan_for_what_is_not_here_takes_the_hubs_sizes(hub: Hub) -> None:
    plan = yg.weights.plan(SPEC)
    assert (plan.name, plan.sizes_from) == (SPEC, "hub")
    memory = plan.wanted.memory
    assert (memory.weights, memory.projector) == (len(hub.files[MODEL]), len(hub.files[PROJECTOR]))
    assert hub.served == []
    run("pull")
    assert yg.weights.plan(SPEC).sizes_from == "disk"
