"""The model of a run on many machines: found without loading it, and compared on every node before it is loaded."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.calibration.assumptions import OWN_MODELS
from youtu_gguf.cluster.weights import Build, Found, Loading, Wanted
from youtu_gguf.config import LoadSettings
from youtu_gguf.gguf.fingerprint import fingerprint
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.testing import FakeEngine

SPEC = "somebody/Some-Model-GGUF:Q8_0"
PINNED = "somebody/Some-Model-GGUF:Q8_0@0123456789abcdef0123456789abcdef01234567"


def refused(loading: Loading, error: type[yg.YoutuError]) -> str:
    """Return why a node does not even begin to load the model."""
    with pytest.raises(error) as caught:
        loading.load()
    return str(caught.value)


def copies(pair: Pair, folder: Path) -> list[Path]:
    folder.mkdir()
    return [Path(shutil.copy(path, folder)) for path in pair]


@pytest.fixture
def elsewhere(tiny_pair: Pair) -> Found:
    """What a node says that has the files."""
    pair = check_pair(*tiny_pair)
    files = "/nodes/own/model.gguf", "/nodes/own/mmproj.gguf"
    return Found(*files, fingerprint(pair.model, pair.projector), "Youtu-VL-nano", PINNED)


def test_a_loading_names_the_files_by_content_and_travels(tiny_pair: Pair) -> None:
    loading = Loading.of(*tiny_pair)
    pair = check_pair(*tiny_pair)
    assert loading.identity["model"] == {"fingerprint": fingerprint(pair.model, pair.projector)}
    assert pickle.loads(pickle.dumps(loading)) == loading


def test_a_relative_path_is_the_same_file_for_an_actor(tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_pair[0].parent)
    loading = Loading.of(tiny_pair[0].name, tiny_pair[1].name)
    assert loading.wanted == Wanted(str(tiny_pair[0]), str(tiny_pair[1]))


def test_the_environment_names_the_model_of_a_run_not_of_a_node(
    tiny_pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTU_GGUF_MODEL", str(tiny_pair[0]))
    loading = Loading.of()
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "nano")
    assert loading.wanted is not None
    assert loading.wanted.look_up() == loading.found == Loading.of(*tiny_pair).found


def test_without_a_model_the_error_is_that_of_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(yg.ModelFileError, match="no model was named, and the published one has not been downloaded"):
        Loading.of()


@pytest.mark.parametrize(("cpus", "settings", "threads"), [(3, {}, 3), (3, {"threads": 2}, 2), (1, {"threads": 1}, 1)])
def test_an_actor_has_as_many_threads_as_processors_unless_fewer_are_named(
    cpus: int, settings: LoadSettings, threads: int
) -> None:
    assert Loading.of("nano", **settings).sized(cpus).settings["threads"] == threads


def test_more_threads_than_an_actor_has_processors_are_refused() -> None:
    with pytest.raises(yg.InputError, match=r"at most 2 threads, the processors of an actor; got threads=4"):
        Loading.of("nano", threads=4).sized(2)


@pytest.mark.parametrize(
    ("gpus", "settings", "device"), [(0.0, {}, "cpu"), (0.5, {}, None), (1.0, {"device": "CUDA0"}, "CUDA0")]
)
def test_without_gpus_the_model_is_computed_on_processors(
    gpus: float, settings: LoadSettings, device: str | None
) -> None:
    assert Loading.of("nano", **settings).sized(1, gpus).settings.get("device") == device


@pytest.mark.parametrize("name", ["device", "mmproj_device"])
def test_a_device_of_an_actor_without_gpus_is_refused(name: str) -> None:
    settings: Any = {name: "CUDA0"}
    with pytest.raises(yg.InputError, match=rf"expected GPUs for {name}='CUDA0'; an actor has none.*gpus_per_actor"):
        Loading.of("nano", **settings).sized(1)


def test_an_engine_object_cannot_travel() -> None:
    engine: Any = FakeEngine()
    with pytest.raises(yg.InputError, match="an engine that every node can start"):
        Loading.of("nano", engine=engine)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(
        yg.InputError, match=r'engine must be "native", "server" or "http://host:port/v1"; got \'vllm\''
    ):
        Loading.of("nano", engine="vllm")


def test_a_setting_out_of_range_is_refused_before_anything_starts() -> None:
    with pytest.raises(yg.InputError, match="n_ctx must be"):
        Loading.of("nano", n_ctx=0)


def test_a_calibration_belongs_to_the_identity_where_states_do() -> None:
    own = yg.Calibration(bin_base=0)
    assert Loading.of("nano").calibration == OWN_MODELS["Youtu-VL-nano"]
    assert Loading.of("nano", calibration="default").calibration == yg.Calibration()
    assert Loading.of("nano", calibration=own).identity["calibration"]["bin_base"] == 0
    assert "calibration" not in Loading.of("nano", engine="server").identity


def test_files_that_only_the_cluster_has_are_asked_for_there(elsewhere: Found) -> None:
    asked: list[Wanted] = []

    def ask(wanted: Wanted) -> Found:
        asked.append(wanted)
        return elsewhere

    loading = Loading.of(SPEC, ask=ask)
    assert asked == [Wanted(SPEC)]
    assert loading.identity["model"] == {"fingerprint": elsewhere.fingerprint}
    assert loading.calibration == OWN_MODELS["Youtu-VL-nano"]
    assert loading.wanted == Wanted(PINNED)  # every node pulls the same commit, whatever is pushed meanwhile


def test_files_on_this_machine_are_not_asked_for(tiny_pair: Pair) -> None:
    def ask(wanted: Wanted) -> Found:
        raise AssertionError(wanted)

    assert Loading.of(*tiny_pair, ask=ask) == Loading.of(*tiny_pair)


def test_a_node_without_the_files_is_named(tiny_pair: Pair, tmp_path: Path) -> None:
    loading = Loading.of(*copies(tiny_pair, tmp_path / "driver"))
    shutil.rmtree(tmp_path / "driver")
    message = refused(loading, yg.ModelFileError)
    assert f"has no {tmp_path / 'driver' / tiny_pair[0].name}. Give every node the same files" in message
    assert "ORG/NAME:QUANT" in message


def test_other_files_under_the_same_path_are_told_apart(tiny_pair: Pair, tiny_pair_f32: Pair, tmp_path: Path) -> None:
    model, mmproj = copies(tiny_pair, tmp_path / "node")
    loading = Loading.of(model, mmproj)
    shutil.copy(tiny_pair_f32[0], model)
    message = refused(loading, yg.ModelFileError)
    assert f"{model} with the fingerprint {loading.identity['model']['fingerprint']}; " in message
    assert f"has {model} with {Loading.of(model, mmproj).identity['model']['fingerprint']}. Give every node" in message


def test_broken_files_on_a_node_are_reported_with_its_name(tiny_pair: Pair, tmp_path: Path) -> None:
    model, mmproj = copies(tiny_pair, tmp_path / "node")
    loading = Loading.of(model, mmproj)
    model.write_bytes(b"GGUF")
    assert refused(loading, yg.ModelFileError).startswith("on ")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ({"youtu_gguf": "9.9"}, "expected youtu_gguf 9.9 on every node"),
        ({"llama_cpp_python": "9.9"}, "expected llama-cpp-python 9.9 on every node"),
    ],
)
def test_other_versions_on_a_node_are_refused(build: dict[str, str], words: str) -> None:
    loading = Loading.of("nano")
    other = replace(loading, build=replace(Build.here(), **build))
    message = refused(other, yg.EngineError)
    assert words in message
    assert "==9.9" in message


@pytest.mark.parametrize(
    ("part", "found"), [("model", {"fingerprint": "00"}), ("calibration", {"bin_base": 0}), ("model", None)]
)
def test_a_model_that_turns_out_to_be_another_is_refused_with_both_values(part: str, found: object) -> None:
    loading = Loading.of("nano")
    loading.check(loading.identity, "node-7")
    with pytest.raises(yg.ModelFileError, match=rf"expected on node-7 the {part} that the run began with") as caught:
        loading.check({**loading.identity, part: found}, "node-7")
    assert str(next(iter(loading.identity[part].values()))) in str(caught.value)
