"""Users without a home folder, caches that may not be read, and names of paths as other machines have them."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

import youtu_gguf as yg
from youtu_gguf import environment
from youtu_gguf.arguments import checked_path
from youtu_gguf.calibration.storage import read_for
from youtu_gguf.cli.main import app
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.hub.local import find_nano
from youtu_gguf.machine import usable_cores

NOBODY = 65534
VARIABLES = (
    "HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "XDG_CACHE_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "YOUTU_GGUF_CALIBRATIONS",
    "YOUTU_GGUF_MODEL",
    "YOUTU_GGUF_LLAMA_SERVER",
)


@pytest.fixture
def homeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user whom the system does not know, as in containers with a number for a user."""

    def unknown(_number: int) -> object:
        raise KeyError("no such user")

    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.chdir(tmp_path)


def run(code: int, *arguments: str) -> str:
    outcome = CliRunner().invoke(app, arguments)
    assert outcome.exit_code == code, outcome.output
    return outcome.output


@pytest.mark.usefixtures("homeless")
def test_without_a_home_what_ships_works_and_the_rest_says_which_variable_to_set(tmp_path: Path) -> None:
    assert str(find_nano()) in run(0, "path", "nano")
    assert run(0, "list").startswith("nano ")
    assert read_for(check_pair(find_nano())) is None  # part of load("nano")
    assert "not among the downloads" in run(3, "path", f"{REPOSITORY}:Q8_0")
    assert "Set HF_HOME to a folder" in run(2, "pull")
    assert "Set HF_HOME to a folder" in run(2, "rm", "--yes", REPOSITORY)
    assert "Set XDG_STATE_HOME to a folder" in run(2, "server", "status")
    assert "Set YOUTU_GGUF_CALIBRATIONS to a folder" in run(2, "calibrate", "-m", "nano", "--show")
    assert list(tmp_path.iterdir()) == []  # no folder named "~"


@pytest.mark.usefixtures("homeless")
def test_without_a_home_variables_say_where_folders_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HF_HOME", "XDG_STATE_HOME", "YOUTU_GGUF_CALIBRATIONS"):
        monkeypatch.setenv(variable, "/folder")
    assert (environment.hub_cache(), environment.calibrations_folder()) == (Path("/folder/hub"), Path("/folder"))
    assert environment.state_folder() == Path("/folder/youtu-gguf")


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to read everything, where the tests run as root."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def foreign_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a cache that everyone may enter, with two repositories that belong to somebody else."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        closed = [Path(name, f"models--{n}", "snapshots") for n in ("a--b", REPOSITORY.replace("/", "--"))]
        for folder in closed:
            folder.mkdir(parents=True)
            folder.chmod(0)
        monkeypatch.setenv("HF_HUB_CACHE", name)
        monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
        monkeypatch.chdir(name)
        yield Path(name)
        for folder in closed:
            folder.chmod(0o755)


def test_repositories_that_may_not_be_read_are_passed_over_or_named(
    foreign_cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with as_nobody():
        listed = {pair.name: pair.problem for pair in yg.weights.list_models()}
        assert set(listed) == {"nano", REPOSITORY}
        assert "it cannot be read" in str(listed[REPOSITORY])
        assert "a--b is passed over" in caplog.text
        for call in (yg.load, yg.weights.find):
            with pytest.raises(yg.ModelFileError, match=r"expected to read the downloads of .*HF_HUB_CACHE"):
                call(f"{REPOSITORY}:Q8_0")  # type: ignore[operator]
        with pytest.raises(yg.ModelFileError, match="expected to read the downloads"):
            yg.weights.find()
        assert yg.weights.find("nano")


@pytest.mark.parametrize("kind", ["file", "circle"])
def test_a_cache_that_is_no_folder_holds_nothing(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    if kind == "file":
        cache.touch()
    else:
        cache.symlink_to(cache)
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    assert [pair.name for pair in yg.weights.list_models()] == ["nano"]
    with pytest.raises(yg.ModelFileError):
        yg.weights.find(f"{REPOSITORY}:Q8_0")
    with pytest.raises(yg.YoutuError):
        yg.weights.remove(f"{REPOSITORY}:Q8_0")


def test_names_that_the_system_refuses_are_named_with_their_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    long = "x" * 300
    for code, *arguments in (
        (2, "classify", long, "-m", "nano"),
        (3, "path", long),
        (2, "pull", "--dir", long),
        (2, "batch", f"@{long}", "-t", "classify", "-o", "o"),
        (2, "slim", long, "y"),
    ):
        assert "too long" in run(int(code), *map(str, arguments))
    monkeypatch.setenv("HF_HUB_CACHE", long)
    assert "HF_HUB_CACHE must be a path" in run(2, "list")


def test_records_of_servers_that_may_not_be_read_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0)
        monkeypatch.setenv("XDG_STATE_HOME", name)
        with as_nobody():
            assert "XDG_STATE_HOME" in run(2, "server", "status")


def test_calibrations_that_may_not_be_read_are_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = check_pair(find_nano())
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0)
        monkeypatch.setenv("YOUTU_GGUF_CALIBRATIONS", name)
        with as_nobody(), pytest.raises(yg.ModelFileError, match=r'YOUTU_GGUF_CALIBRATIONS.*calibration="default"'):
            read_for(pair)


@pytest.mark.parametrize("value", ["~nobody-of-this-name/x", "~nobody-of-this-name"])
def test_the_home_of_a_user_who_does_not_exist_is_refused(value: str, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=r"folder must be a path; .*no user has the home folder"):
        checked_path("folder", value)
    with pytest.raises(yg.ModelFileError, match="no user has the home folder"):
        yg.weights.find(value)
    with pytest.raises(yg.InputError, match="no user has the home folder"):
        yg.load("nano", cache_dir=value)


@pytest.mark.parametrize(
    "variable", ["HF_HUB_CACHE", "HF_HOME", "YOUTU_GGUF_CALIBRATIONS", "YOUTU_GGUF_LLAMA_SERVER", "YOUTU_GGUF_MODEL"]
)
def test_the_tilde_is_resolved_in_variables(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(variable, "~/place")
    if variable == "YOUTU_GGUF_MODEL":
        (tmp_path / "place").mkdir()
        for file in ("m.gguf", "mmproj.gguf"):
            (tmp_path / "place" / file).touch()
        assert yg.weights.find() == (tmp_path / "place" / "m.gguf", tmp_path / "place" / "mmproj.gguf")
        return
    found = {
        "HF_HUB_CACHE": environment.hub_cache,
        "HF_HOME": lambda: Path(environment.hub_cache() or "").parent,
        "YOUTU_GGUF_CALIBRATIONS": environment.calibrations_folder,
        "YOUTU_GGUF_LLAMA_SERVER": environment.default_llama_server,
    }[variable]()
    assert found == tmp_path / "place"


def run_python(code: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_"))}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=kept | variables, capture_output=True, text=True, check=True).stdout


def test_numpys_threads_are_limited_before_it_is_imported() -> None:
    code = """
import sys
from youtu_gguf.environment import limit_blas
assert "numpy" not in sys.modules
limit_blas()
import os
print(os.environ["OPENBLAS_NUM_THREADS"], os.environ["OPENBLAS_THREAD_TIMEOUT"])
"""
    assert run_python(code).split() == [str(usable_cores()), "16"]
    assert run_python(code, OPENBLAS_NUM_THREADS="3", OPENBLAS_THREAD_TIMEOUT="20").split() == ["3", "20"]


def test_the_command_limits_numpys_threads() -> None:
    code = """
import os, sys
sys.argv = ["youtu-gguf", "--version"]
from youtu_gguf.__main__ import main
try:
    main()
except SystemExit:
    print(os.environ["OPENBLAS_NUM_THREADS"], os.environ["OPENBLAS_THREAD_TIMEOUT"])
"""
    assert run_python(code).splitlines()[-1].split() == [str(usable_cores()), "16"]


def test_a_users_limit_of_numpys_threads_stays() -> None:
    variables = {"OMP_NUM_THREADS": "2"}
    environment.limit_blas(variables)
    assert variables == {"OMP_NUM_THREADS": "2", "OPENBLAS_THREAD_TIMEOUT": "16"}


def test_a_worker_has_its_numpy_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENBLAS_THREAD_TIMEOUT", raising=False)
    assert environment.worker_environment()["OPENBLAS_THREAD_TIMEOUT"] == "16"
    assert "OPENBLAS_THREAD_TIMEOUT" not in os.environ


def test_importing_the_package_changes_no_variable() -> None:
    code = (
        "import os; before = dict(os.environ); import youtu_gguf, youtu_gguf.config; print(before == dict(os.environ))"
    )
    assert run_python(code).split() == ["True"]
