"""`batch --cluster` before a cluster is needed: what it refuses, and what it does where nothing is to be done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from youtu_gguf.cli.main import app
from youtu_gguf.environment import ray_environment, ray_is_to_speak


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--actors", "2"], "--actors needs a cluster; got none. Add --cluster local."),
        (["--shard-size", "2"], "--shard-size needs a cluster"),
        (["--cluster", "here"], "expected a cluster, local, auto or ray://HOST:PORT; got 'here'"),
        (["--cluster", "local", "--actors", "two"], "the least and the most, as 2:8; got 'two'"),
        (["--cluster", "local", "--actors", "4:2"], "the least and the most, as 2:8; got (4, 2)"),
        (["--cluster", "local", "--format", "gif"], "expected formats among"),
    ],
)
def test_options_that_make_no_sense_are_refused(words: list[str], message: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["batch", str(tmp_path), "-t", "detect", "-o", str(tmp_path / "out"), *words])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("images", "out"), [("s3://bucket/photos", "out"), ("photos", "s3://bucket/out")])
def test_addresses_need_a_cluster(images: str, out: str) -> None:
    done = CliRunner().invoke(app, ["batch", images, "-t", "detect", "-o", out])
    assert (done.exit_code, "got the address s3://bucket/" in done.output) == (2, True)
    assert "Add --cluster local" in done.output


def test_without_ray_the_error_names_the_extra(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['ray'] = None\n"
        "from youtu_gguf.cluster.connect import required_ray\n"
        "from youtu_gguf.errors import InputError\n"
        "try: required_ray()\n"
        "except InputError as exc: print(exc)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert 'pip install "youtu_gguf[ray]"' in done.stdout


def test_the_package_of_clusters_imports_no_ray() -> None:
    script = "import sys, youtu_gguf.cluster; print(*{'ray', 'pyarrow', 'pandas'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_a_ray_of_our_own_has_a_token_of_its_own_and_no_address() -> None:
    theirs = {"RAY_ADDRESS": "10.0.0.1:6379", "RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "theirs", "HOME": "/home"}
    environment = dict(theirs)
    with ray_environment(own=True, environment=environment):
        assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
        assert "RAY_ADDRESS" not in environment
        assert "RAY_AUTH_MODE" not in environment  # Ray turns tokens on where it is not set
        assert environment["RAY_AUTH_TOKEN"] not in ("", "theirs")
        environment["RAY_AUTH_MODE"] = "token"  # as Ray does
    assert environment == theirs


def test_another_ray_is_reached_as_the_user_says() -> None:
    theirs = {"RAY_ADDRESS": "10.0.0.1:6379", "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "theirs"}
    environment = dict(theirs)
    with ray_environment(own=False, environment=environment):
        assert environment == {**theirs, "RAY_USAGE_STATS_ENABLED": "0"}
    assert environment == theirs


def test_the_user_may_want_to_hear_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(os.environ, "RAY_BACKEND_LOG_LEVEL", raising=False)
    assert not ray_is_to_speak()
    monkeypatch.setitem(os.environ, "RAY_BACKEND_LOG_LEVEL", "info")
    assert ray_is_to_speak()
