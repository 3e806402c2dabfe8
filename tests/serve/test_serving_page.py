"""docs/serving.md, run: its curl commands and its Python against a server with nano, and its commands as far as parsed.

What is not run: `pip`, `docker` and `openssl`; the server's own command is only parsed here, and run by other tests.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import typer
from PIL import Image

import youtu_gguf as yg
from tests.serve.conftest import serving
from youtu_gguf.cli.main import app
from youtu_gguf.serve.errors import Code
from youtu_gguf.serve.label_studio.setup import read_setup
from youtu_gguf.serve.settings import ServeSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8765"

SMALL = {"threads": 1, "image_max_tokens": 160, "max_tokens": 48}
"""Settings with which the page takes seconds."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def scripts() -> list[str]:
    """Return the blocks of shell commands that ask a server."""
    return [block for block in blocks("sh") if "curl" in block]


def served() -> list[list[str]]:
    """Return the words of every command that starts a server, without `youtu-gguf serve`."""
    lines = [shlex.split(line, comments=True) for block in blocks("sh") for line in block.splitlines()]
    return [words[2:] for words in lines if words[:2] == ["youtu-gguf", "serve"]]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(lambda: yg.load("nano", **SMALL)) as address:  # type: ignore[arg-type]
        yield address


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with the drawn scene under the name that the page uses."""
    Image.open(ROOT / "docs" / "pictures" / "tasks" / "scene.png").convert("RGB").save(tmp_path / "street.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(not all(map(shutil.which, ("bash", "curl", "jq"))), reason="bash, curl and jq are needed")
@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.splitlines()[-1][:40])
def test_commands_of_the_page_are_answered(script: str, address: str, folder: Path) -> None:
    failing = script.replace("curl ", "curl --fail-with-body --silent --show-error ").replace(ADDRESS, address)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", failing], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for name in re.findall(r"-o (\S+)", script):
        assert (folder / name).stat().st_size > 0
    if not re.search(r"-[oD] |-X DELETE", script):
        assert done.stdout.strip()


@pytest.mark.usefixtures("folder")
def test_python_of_the_page_runs_from_the_first_line_to_the_last(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "\n".join(blocks("python"))
    assert source.count(ADDRESS) == 4
    names: dict[str, Any] = {}
    exec(source.replace(ADDRESS, address), names)
    names["client"].close()
    names["ollama"]._client.close()
    assert names["found"].choices[0].message.content.startswith("{")
    assert '"state":"done"' in capsys.readouterr().out
    assert len(json.loads(Path("coco.json").read_bytes())["images"]) == 1


@pytest.mark.parametrize("words", served(), ids=" ".join)
def test_options_of_the_page_exist(words: list[str], folder: Path) -> None:
    for name in ("key.txt", "token.txt"):
        (folder / name).write_text("a" * 32)
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    assert command.make_context("serve", words).params


def test_the_address_of_the_page_is_the_default() -> None:
    settings = ServeSettings()
    assert f"http://{settings.host}:{settings.port}" == ADDRESS


def test_the_page_names_every_code_of_errors() -> None:
    _, _, section = PAGE.partition("\n## Errors\n")
    named = set(re.findall(r"`([a-z_]+)`", section.partition("\n## ")[0]))
    assert set(Code.__args__) <= named  # type: ignore[attr-defined]  # of the Literal


def test_the_error_of_the_page_is_one_of_ours(address: str) -> None:
    (shown,) = (json.loads(block) for block in blocks("json"))
    answer = httpx.get(f"{address}/v1/images/img_1").json()
    assert answer["error"] == shown["error"]
    assert answer.keys() == shown.keys()


def test_the_labelling_setup_of_the_page_can_be_read() -> None:
    (setup,) = blocks("xml")
    mask, pointer = read_setup(setup)
    assert (mask.kind, mask.labels["truck"], pointer.smart) == ("brushlabels", "Vehicle", True)


@pytest.mark.parametrize("path", ["/v1/models", "/api/tags", "/label-studio/health", "/x-anylabeling/v1/models"])
def test_addresses_that_programs_are_given_lead_somewhere(path: str, address: str) -> None:
    assert httpx.get(f"{address}{path}").status_code == 200
    start = path.removesuffix("/health").removesuffix("/models").removesuffix("/v1").removesuffix("/api/tags")
    assert f"{ADDRESS}{start}" in PAGE


def test_metrics_are_for_prometheus(address: str) -> None:
    assert "youtu_requests_total" in httpx.get(f"{address}/metrics").text
