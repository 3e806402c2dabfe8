"""Mirrors that send requests on to other addresses, and variables for proxies and certificates that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants

import youtu_gguf as yg
from tests import loopback_hub as hubs
from tests.loopback_hub import MODEL, REPOSITORY, Hub, redirecting
from tests.pull.checks import SPEC, check_pulled, command, use_endpoint
from youtu_gguf.errors import ModelFileError
from youtu_gguf.hub.pull import pull
from youtu_gguf.hub.spec import Spec


@pytest.mark.parametrize("relative", ["", "/mirror"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_mirror_that_redirects_serves_a_pair(
    status: int,
    relative: str,
    hub: Hub,
    contents: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    naps: list[float],
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.troubles = [hubs.fine, hubs.cut_at(5000)]  # resumed through the mirror too
    with redirecting(hub, status, relative) as mirror:
        use_endpoint(mirror.url, monkeypatch)
        check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.sent(MODEL) == len(contents[MODEL])
    assert set(mirror.tokens) == {"Bearer hf_secret"}
    assert set(hub.tokens) == {None}  # another host gets no token


def test_a_mirror_that_redirects_in_a_circle_is_named(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redirecting(hub, 302) as mirror:
        hub.url = mirror.url
        use_endpoint(mirror.url, monkeypatch)
        with pytest.raises(ModelFileError, match=r"redirects in a circle\. Check HF_ENDPOINT"):
            pull(SPEC, tmp_path)


def test_the_commit_is_recorded_for_the_branch_as_hugging_face_tools_do(hub: Hub, tmp_path: Path) -> None:
    pull(SPEC, tmp_path)
    pull(Spec(REPOSITORY, "Q8_0", "v1"), tmp_path)
    for revision in ("main", "v1"):
        found = huggingface_hub.try_to_load_from_cache(REPOSITORY, MODEL, revision=revision, cache_dir=tmp_path)
        assert isinstance(found, str) and Path(found).is_file()
    scanned = huggingface_hub.scan_cache_dir(tmp_path)
    assert scanned.warnings == []
    (repository,) = scanned.repos
    assert (repository.repo_id, repository.nb_files) == (REPOSITORY, 2)


def test_a_token_that_may_not_be_read_is_an_error_of_ours(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    (tmp_path / "token").mkdir()  # root may read everything but a folder
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(ModelFileError, match=r"could not be fetched: .*token'. Check the permissions, and HF_HOME"):
        pull(SPEC, tmp_path)


def test_variables_that_hugging_face_tools_cannot_read_are_an_error_of_ours(hub: Hub, tmp_path: Path) -> None:
    for variable in ({"HF_ENDPOINT": "http://["}, {"HF_HUB_DOWNLOAD_TIMEOUT": "soon"}):
        process = command(hub, tmp_path, "pull", HF_HUB_OFFLINE="0", **variable)
        assert "Correct HF_ENDPOINT, or the one that begins with HF_HUB_" in process.communicate()[1]
        assert process.returncode == ModelFileError.exit_code


def test_a_token_that_cannot_be_sent_is_named(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_é")
    with pytest.raises(ModelFileError, match="HF_TOKEN must be ASCII"):
        pull(SPEC, tmp_path)


BAD_VARIABLES = {
    "socks without its package": ("ALL_PROXY", "socks5h://user:word@127.0.0.1:1", r'pip install "youtu_gguf\[socks\]"'),
    "an unknown scheme": ("HTTPS_PROXY", "ftp://127.0.0.1:1", "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY.*Correct or unset"),
    "no port": ("HTTP_PROXY", "http://127.0.0.1:port", "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY.*Correct or unset"),
    "no certificates": ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE.*Correct or unset"),
}


@pytest.mark.parametrize("name", BAD_VARIABLES)
def test_variables_that_cannot_be_used_are_named(
    name: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable, value, message = BAD_VARIABLES[name]
    huggingface_hub.close_session()  # the next one reads the variables
    monkeypatch.setenv(variable, value)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ModelFileError, match=message) as caught:
        pull(SPEC, tmp_path)
    assert "word" not in str(caught.value)
    assert yg.weights.plan().sizes_from == "documentation"  # which needs no hub
    assert hub.tokens == []
