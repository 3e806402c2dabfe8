"""The systemd unit of the server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

import youtu_gguf as yg
from youtu_gguf.cli.main import app
from youtu_gguf.serve.service import NAME, Service

ODD = ('--model=/my models/50%/$HOME/"quoted"\\x.gguf', "--classes=cars=car,truck")
COMMAND = (sys.executable, "-m", "youtu_gguf", "serve")


def read(text: str) -> RawConfigParser:
    parser = RawConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


@pytest.mark.parametrize("system", [True, False])
def test_a_unit_waits_for_ready_and_gives_time_to_drain(system: bool) -> None:
    service = read(Service(COMMAND, 40, system=system).text())["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    assert int(service["TimeoutStopSec"]) > 40
    assert service["EnvironmentFile"].endswith("/youtu-gguf.env")
    assert service["NoNewPrivileges"] == "yes"


def test_a_unit_of_the_system_has_a_user_of_its_own_and_sees_no_more_than_it_needs() -> None:
    unit = read(Service(COMMAND, 10, system=True).text())
    assert unit["Service"]["DynamicUser"] == unit["Service"]["PrivateTmp"] == "yes"
    assert unit["Service"]["ProtectSystem"] == "strict"
    assert "AF_INET" in unit["Service"]["RestrictAddressFamilies"]
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    assert "DynamicUser" not in read(Service(COMMAND, 10).text())["Service"]


def test_the_key_is_handed_over_by_systemd_or_named_by_its_path() -> None:
    file = Path("/etc/youtu-gguf.key")
    system = read(Service(COMMAND, 10, file, system=True).text())["Service"]
    assert system["LoadCredential"] == f"api-key:{file}"
    assert system["ExecStart"].endswith('"--api-key-file=%d/api-key"')
    assert f"--api-key-file={file}" in read(Service(COMMAND, 10, file).text())["Service"]["ExecStart"]


def test_words_are_escaped() -> None:
    line = read(Service((*COMMAND, *ODD), 10).text())["Service"]["ExecStart"]
    assert '"--model=/my models/50%%/$$HOME/\\"quoted\\"\\\\x.gguf" --classes=cars=car,truck' in line
    with pytest.raises(yg.InputError, match="printable"):
        Service((*COMMAND, "--model=a\nExecStartPre=/bin/false"), 10).text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
@pytest.mark.parametrize("system", [True, False])
def test_systemd_finds_nothing_wrong_with_it(system: bool, tmp_path: Path) -> None:
    file = tmp_path / NAME
    file.write_text(Service((*COMMAND, *ODD), 10, Path("/etc/key"), system).text(), encoding="utf-8")
    options = () if system else ("--user",)
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    done = subprocess.run(
        ["systemd-analyze", *options, "verify", str(file)], capture_output=True, text=True, check=False, env=environment
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if NAME in line]) == (0, [])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a user's folder of settings, to a user who is not root."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def test_a_unit_is_installed_once_and_never_overwritten(config: Path) -> None:
    def install(*options: str) -> tuple[int, str, str]:
        done = CliRunner().invoke(app, ["serve", "-m", "nano", "--install-service", *options])
        return done.exit_code, done.stdout, done.stderr

    file = config / "systemd/user" / NAME
    code, said, where = install()
    assert (code, where) == (0, f"wrote {file}. Next:\n")
    assert "systemctl --user enable --now youtu-gguf.service" in said
    text = file.read_text(encoding="utf-8")
    assert "-m youtu_gguf serve --model=nano" in text
    assert install()[0] == 0
    code, said, message = install("--port", "9000")
    assert (code, said) == (2, "")
    assert f"expected no other unit at {file}; there is one" in message
    assert file.read_text(encoding="utf-8") == text


def test_paths_of_a_printed_unit_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.gguf").touch()
    (tmp_path / "key").write_text("secret\n", encoding="utf-8")
    options = ["-m", "model.gguf", "--cache-dir", "cache", "--api-key-file", "key", "--idle-unload", "15m"]
    done = CliRunner().invoke(app, ["serve", "--print-unit", *options])
    assert done.exit_code == 0, done.stderr
    assert f"--model={tmp_path}/model.gguf" in done.stdout
    assert f"--cache-dir={tmp_path}/cache" in done.stdout
    assert f"{tmp_path}/key" in done.stdout
    assert "--idle-unload=900.0" in done.stdout
    assert "secret" not in done.stdout
