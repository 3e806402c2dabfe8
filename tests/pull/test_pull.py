"""Pulling a pair: what is fetched, where it lands, and how a cut line is taken up again."""

from __future__ import annotations

import random
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import constants

from tests import loopback_hub as hubs
from tests.loopback_hub import COMMIT, MODEL, PROJECTOR, REPOSITORY, Hub
from tests.pull.checks import SPEC, check_pulled, whole_files
from youtu_gguf.errors import InputError, ModelFileError, OutputError
from youtu_gguf.gguf.pair import find_projector
from youtu_gguf.hub.listing import local_pairs
from youtu_gguf.hub.local import find_pulled, locate
from youtu_gguf.hub.pull import pull
from youtu_gguf.hub.spec import Spec

SEED = 20261123


def test_a_pair_lands_where_hugging_face_tools_look_for_it(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path
) -> None:
    reported, told = [], []
    pulled = pull(SPEC, tmp_path, progress=lambda *of: reported.append(of), notify=told.append)
    check_pulled(pulled, contents)
    assert pulled.commit == COMMIT
    assert pulled.model == Path(huggingface_hub.try_to_load_from_cache(REPOSITORY, MODEL, cache_dir=tmp_path) or "")
    assert pulled.model == find_pulled(SPEC, tmp_path) == locate(str(SPEC), tmp_path)
    assert hub.sent("Youtu-VL-4B-Instruct-F16.gguf") == 0
    total = len(contents[MODEL]) + len(contents[PROJECTOR])
    assert reported[-1] == ("pull", total, total)
    assert (MODEL, len(contents[MODEL]), len(contents[MODEL])) in reported
    assert [text for text in told if "European Union" in text] == told  # once, and nothing else


def test_what_is_there_is_not_fetched_again(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    pull(SPEC, tmp_path)
    hub.served.clear()
    told: list[str] = []
    check_pulled(pull(SPEC, tmp_path, notify=told.append), contents)
    assert hub.served == [] and told == []


def test_a_folder_gets_plain_files(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    folder = tmp_path / "new" / "models"
    for _ in range(2):
        check_pulled(pull(SPEC, tmp_path / "cache", folder), contents)
    assert sorted(path.name for path in folder.iterdir()) == sorted([MODEL, PROJECTOR])
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert len(hub.served) == 2
    assert locate(str(folder), tmp_path) == folder / MODEL


def test_a_file_of_the_users_is_not_replaced(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / MODEL).write_bytes(b"GGUF made at home")
    with pytest.raises(InputError, match=r"got another file. Move it away"):
        pull(SPEC, tmp_path / "cache", tmp_path)
    assert (tmp_path / MODEL).read_bytes() == b"GGUF made at home"
    assert hub.served == []


def test_a_revision_is_fetched_and_found_by_its_name(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    check_pulled(pull(Spec(REPOSITORY, None, "v1"), tmp_path), contents)
    for revision in ("v1", COMMIT):
        assert find_pulled(Spec(REPOSITORY, "Q8_0", revision), tmp_path) is not None
    assert find_pulled(Spec(REPOSITORY, "Q8_0", "main"), tmp_path) is None


@pytest.mark.parametrize("n", range(25))
def test_a_line_cut_anywhere_is_taken_up_where_it_broke(
    n: int, hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    size = len(contents[MODEL])
    positions = sorted(random.Random(SEED + n).sample(range(size), 3))
    hub.troubles = [hubs.fine, *map(hubs.cut_at, positions)]
    check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.sent(PROJECTOR) == len(contents[PROJECTOR])
    assert hub.sent(MODEL) == size  # not a byte twice
    assert [start for name, start, _ in hub.served if name == MODEL] == [0, *positions]
    assert len(naps) == 3


@pytest.mark.parametrize("position", [0, 1, 3, 4, 1000, -1])
def test_another_process_goes_on_where_one_gave_up(
    position: int, hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    position %= len(contents[MODEL])
    hub.troubles = [hubs.fine, *[hubs.cut_at(position)] * 9]
    with pytest.raises(ModelFileError, match=r"does not answer.*Check the network.*kept, and the next try resumes it"):
        pull(SPEC, tmp_path)
    assert whole_files(tmp_path, contents) == set()
    hub.served.clear()
    hub.troubles = []
    check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.served == [(MODEL, position, len(contents[MODEL]) - position)]


def test_bytes_that_arrive_renew_the_patience(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    step = len(contents[MODEL]) // 20
    hub.troubles = [hubs.fine, *(hubs.cut_at(step * i) for i in range(1, 20))]
    check_pulled(pull(SPEC, tmp_path), contents)
    assert naps == [1.0] * 19


def test_a_server_that_knows_no_ranges_sends_it_all_again(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    hub.troubles = [hubs.fine, hubs.cut_at(5000), hubs.whole_file]
    check_pulled(pull(SPEC, tmp_path), contents)
    hub.troubles = [hubs.without_length, hubs.without_length]
    check_pulled(pull(SPEC, tmp_path / "other"), contents)


def test_offline_what_is_there_is_taken(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(SPEC, tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    told: list[str] = []
    check_pulled(pull(SPEC, tmp_path, notify=told.append), contents)
    assert told == ["HF_HUB_OFFLINE is set: the files pulled before are used without a check."]
    with pytest.raises(ModelFileError, match=r"HF_HUB_OFFLINE is set. Unset it"):
        pull(Spec(REPOSITORY, "Q4_K_M"), tmp_path)


def test_too_little_room_is_said_before_a_byte_is_fetched(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match=r"GB free; got 0.0 GB"):
        pull(SPEC, tmp_path / "not" / "there")
    assert hub.served == []


def test_a_folder_that_cannot_be_written_to_is_one_clear_error(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Make room or choose another folder"):
        pull(SPEC, tmp_path / "cache", tmp_path / "file")


@pytest.mark.parametrize(
    ("names", "spec", "message"),
    [
        ([MODEL, PROJECTOR], Spec(REPOSITORY, "Q4_K_M"), f"in Q4_K_M in {REPOSITORY}; got {MODEL}"),
        ([MODEL], SPEC, "expected one projector .*got none"),
        ([PROJECTOR], SPEC, "got none. Name a repository"),
        (["a-Q8_0-00001-of-00002.gguf", PROJECTOR], Spec(REPOSITORY), "one of 2 parts.*--merge.*hf download"),
        ([MODEL, "mmproj-a-BF16.gguf", "mmproj-b-BF16.gguf"], SPEC, "got mmproj-a-BF16.gguf, mmproj-b-BF16.gguf"),
        (["model.safetensors"], SPEC, "got none"),
    ],
)
def test_a_repository_without_such_a_pair_names_what_it_has(
    names: list[str], spec: Spec, message: str, hub: Hub, tmp_path: Path
) -> None:
    hub.files = dict.fromkeys(names, b"GGUF")
    with pytest.raises(ModelFileError, match=message):
        pull(spec, tmp_path)


def test_the_projector_of_the_widest_known_encoding_is_taken(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files["mmproj-Youtu-VL-4b-Instruct-F16.gguf"] = hub.files["mmproj-Youtu-VL-4b-Instruct-Q8_0.gguf"] = b"GGUF"
    check_pulled(pull(SPEC, tmp_path), contents)


def test_every_tool_that_chooses_takes_the_same_files(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What another tool has fetched with everything in it: `pull` and `load` take the same pair of it."""
    names = ["Youtu-VL-4B-Instruct-F16.gguf", MODEL, "mmproj-Youtu-VL-4b-Instruct-F16.gguf", PROJECTOR]
    hub.files = {name: contents[PROJECTOR if "mmproj" in name else MODEL] for name in names}
    pulled = pull(Spec(REPOSITORY), tmp_path / "pulled")
    folder = tmp_path / "cache" / "models--tencent--Youtu-VL-4B-Instruct-GGUF" / "snapshots" / COMMIT
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(hub.files[name])
    model = locate(REPOSITORY, tmp_path / "cache")
    assert (model.name, find_projector(model).name) == (pulled.model.name, pulled.projector.name) == (MODEL, PROJECTOR)
    assert locate(folder, None) == model
    assert "Youtu-VL-4B-Instruct-F16.gguf" in caplog.text  # said to be passed over


@pytest.mark.parametrize("name", [f"Q8_0/{MODEL}", "q8_0/model.gguf"])
def test_files_in_folders_named_by_an_encoding_are_fetched_and_found(
    name: str, hub: Hub, contents: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files = {name: contents[MODEL], PROJECTOR: contents[PROJECTOR], "docs/Q8_0/x-Q8_0.gguf": b"GGUF"}
    for folder in (None, tmp_path / "plain"):
        pulled = pull(SPEC, tmp_path / "cache", folder)
        assert pulled.model.as_posix().endswith(name)
        assert find_projector(pulled.model) == pulled.projector
    assert locate(str(SPEC), tmp_path / "cache").read_bytes() == contents[MODEL]
    assert locate(tmp_path / "plain", None).read_bytes() == contents[MODEL]


def test_a_lost_projector_is_said_and_fetched_again(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull(SPEC, tmp_path).projector.resolve().unlink()
    assert find_pulled(SPEC, tmp_path) is None
    (listed,) = [pair for pair in local_pairs(tmp_path, tmp_path / "none") if pair.name == REPOSITORY]
    assert listed.model.name == PROJECTOR and "incomplete" in str(listed.problem)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFileError, match=rf"{PROJECTOR} are gone, and HF_HUB_OFFLINE is set\. Unset it"):
        pull(SPEC, tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.sent(MODEL) == len(contents[MODEL])


@pytest.mark.parametrize("damage", ["no blob", "cut short", "empty"])
def test_what_the_cache_has_lost_is_fetched_again(
    damage: str, hub: Hub, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = pull(SPEC, tmp_path).model.resolve()
    if damage == "no blob":
        blob.unlink()
    else:
        blob.write_bytes(contents[MODEL][: -1000 if damage == "cut short" else 0])
    if damage != "cut short":
        assert find_pulled(SPEC, tmp_path) is None
        (listed,) = [pair for pair in local_pairs(tmp_path, tmp_path / "none") if pair.name == str(SPEC)]
        assert listed.problem is not None and "incomplete" in listed.problem
        with pytest.raises(ModelFileError, match=r"its data are gone.*`youtu-gguf pull`"):
            locate(str(SPEC), tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelFileError, match=r"HF_HUB_OFFLINE is set\. Unset it|truncated"):
        pull(SPEC, tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    hub.served.clear()
    check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.sent(MODEL) == len(contents[MODEL]) and hub.sent(PROJECTOR) == 0


def test_without_links_the_files_themselves_are_named(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_SYMLINKS", True)
    for _ in range(2):
        pulled = pull(SPEC, tmp_path)
        check_pulled(pulled, contents)
        assert not pulled.model.is_symlink()
    assert len(hub.served) == 2


def test_files_of_another_model_end_in_an_error_of_their_own(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path
) -> None:
    hub.files[PROJECTOR] = contents[MODEL]
    with pytest.raises(ModelFileError, match="as mmproj"):
        pull(SPEC, tmp_path)


def test_an_error_of_the_progress_function_arrives_as_it_is(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path
) -> None:
    class FullError(OSError):
        pass

    def progress(_stage: str, done: int, _total: int) -> None:
        if done:
            raise FullError

    with pytest.raises(FullError):
        pull(SPEC, tmp_path, progress=progress)
    check_pulled(pull(SPEC, tmp_path), contents)
