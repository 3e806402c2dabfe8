"""Pulling from servers and over lines that do what they should not."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants

from tests import loopback_hub as hubs
from tests.loopback_hub import MODEL, Hub
from tests.pull.checks import SPEC, check_pulled, whole_files
from youtu_gguf.errors import ModelFileError
from youtu_gguf.hub.pull import pull


def test_a_wrong_hash_is_thrown_away(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    whole = contents[MODEL]
    hub.listed[MODEL] = whole
    hub.files[MODEL] = whole[:-1] + bytes([whole[-1] ^ 1])
    with pytest.raises(ModelFileError, match=r"with hash .*; got .*deleted; try again"):
        pull(SPEC, tmp_path)
    assert whole_files(tmp_path, contents) == set()
    hub.files[MODEL] = whole
    check_pulled(pull(SPEC, tmp_path), contents)


def test_a_damaged_part_is_found_out_and_not_kept(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    hub.troubles = [hubs.fine, *[hubs.cut_at(5000)] * 5]
    with pytest.raises(ModelFileError):
        pull(SPEC, tmp_path)
    (part,) = tmp_path.glob("models--*/blobs/*.incomplete")
    part.write_bytes(b"GGUX" + part.read_bytes()[4:])
    hub.troubles = []
    with pytest.raises(ModelFileError, match="They were deleted"):
        pull(SPEC, tmp_path)
    check_pulled(pull(SPEC, tmp_path), contents)


@pytest.mark.parametrize("change", [-7, 7])
def test_a_wrong_length_is_refused(
    change: int, hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    whole = contents[MODEL]
    hub.listed[MODEL] = whole
    hub.files[MODEL] = whole[:change] if change < 0 else whole + bytes(change)
    with pytest.raises(ModelFileError, match=rf"expected {len(whole):,} bytes .*the server offers"):
        pull(SPEC, tmp_path)
    hub.troubles = [hubs.without_length]
    with pytest.raises(ModelFileError, match=r"with hash|sends more|the server offers"):
        pull(SPEC, tmp_path)
    assert whole_files(tmp_path, contents) == set()


def test_a_server_that_sends_nothing_is_not_asked_for_ever(hub: Hub, tmp_path: Path, naps: list[float]) -> None:
    hub.troubles = [hubs.fine, *[hubs.nothing] * 99]
    with pytest.raises(ModelFileError, match=r"sent no more than 0 bytes\)\. Check the network"):
        pull(SPEC, tmp_path)
    assert len(hub.troubles) == 94


def test_a_line_without_ranges_that_breaks_at_the_same_place_is_given_up(
    hub: Hub, tmp_path: Path, naps: list[float]
) -> None:
    def again_and_cut(exchange: hubs.Exchange) -> bool:
        hubs.whole_file(exchange)
        exchange.stop_after = 5000
        return False

    hub.troubles = [hubs.fine, *[again_and_cut] * 99]
    with pytest.raises(ModelFileError, match="does not answer"):
        pull(SPEC, tmp_path)
    assert naps == [1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize("page", [hubs.web_page, hubs.as_long_as_the_file])
@pytest.mark.parametrize("begun", [False, True])
def test_a_web_page_is_not_taken_for_the_file(
    begun: bool, page: hubs.Trouble, hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    hub.troubles = [hubs.fine, *([hubs.cut_at(5000)] if begun else []), page]
    with pytest.raises(ModelFileError, match="log in first, do so in a browser"):
        pull(SPEC, tmp_path)
    hub.served.clear()
    check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.served[0][1] == (5000 if begun else 0)  # what had arrived was not lost


@pytest.mark.parametrize("sha256", ["../../../../etc/passwd", "", "abc", "A" * 64, 5])
def test_a_listing_that_names_a_file_by_no_hash_is_not_followed(
    sha256: object, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "sha256_of", lambda _data: sha256)
    with pytest.raises(ModelFileError, match=r"got none|got something else"):
        pull(SPEC, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("size", ["672416", -1, 0, None, 1.5])
def test_a_listing_that_gives_no_size_is_not_followed(size: object, hub: Hub, tmp_path: Path) -> None:
    hub.sizes[MODEL] = size
    with pytest.raises(ModelFileError, match=r"expected a language model in Q8_0|got something else"):
        pull(SPEC, tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_web_page_is_not_taken_for_the_listing(hub: Hub, tmp_path: Path) -> None:
    hub.listing_troubles = [hubs.web_page]
    with pytest.raises(ModelFileError, match="log in first, do so in a browser"):
        pull(SPEC, tmp_path)


@pytest.mark.parametrize(
    ("code", "headers", "remedy"),
    [
        (401, {}, "set HF_TOKEN, or run `hf auth login`"),
        (403, {}, "Accept the terms"),
        (403, {"X_Error_Code": "GatedRepo"}, "Accept the terms"),
        (404, {}, "Check the name"),
        (404, {"X_Error_Code": "RevisionNotFound"}, "Check what follows the @"),
        (418, {}, "the hub answers 418"),
    ],
)
@pytest.mark.parametrize("where", ["listing", "file"])
def test_a_refusal_is_one_clear_error_at_once(
    where: str, code: int, headers: dict[str, str], remedy: str, hub: Hub, tmp_path: Path, naps: list[float]
) -> None:
    trouble = hubs.status(code, **headers)
    (hub.listing_troubles if where == "listing" else hub.troubles).append(trouble)
    with pytest.raises(ModelFileError, match=remedy) as caught:
        pull(SPEC, tmp_path)
    assert "\n" not in str(caught.value) and naps == []


@pytest.mark.parametrize("where", ["listing", "file"])
def test_too_many_requests_are_waited_out_as_long_as_the_server_says(
    where: str, hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    trouble = hubs.status(429, Retry_After="17")
    (hub.listing_troubles if where == "listing" else hub.troubles).append(trouble)
    check_pulled(pull(SPEC, tmp_path), contents)
    assert naps == [17.0]


def test_a_server_that_wants_hours_is_not_waited_for(hub: Hub, tmp_path: Path, naps: list[float]) -> None:
    hub.troubles = [hubs.status(429, Retry_After="7200")]
    with pytest.raises(ModelFileError, match="again in 7,200 s"):
        pull(SPEC, tmp_path)
    assert naps == []


@pytest.mark.parametrize("where", ["listing", "file"])
def test_trouble_at_the_server_passes(
    where: str, hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    troubles = [hubs.status(500), hubs.status(503)]
    (hub.listing_troubles if where == "listing" else hub.troubles).extend(troubles)
    check_pulled(pull(SPEC, tmp_path), contents)
    assert naps == [1.0, 2.0]


def test_trouble_at_the_server_that_does_not_pass_is_an_error(hub: Hub, tmp_path: Path, naps: list[float]) -> None:
    hub.troubles = [hubs.status(500)] * 9
    with pytest.raises(ModelFileError, match=r"internal error \(500\). Run the same command again later"):
        pull(SPEC, tmp_path)
    assert naps == [1.0, 2.0, 4.0, 8.0]


def test_a_socket_that_stalls_is_left_and_taken_up_again(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path, naps: list[float]
) -> None:
    hub.troubles = [hubs.fine, hubs.stall_at(4321)]
    check_pulled(pull(SPEC, tmp_path), contents)
    assert [start for name, start, _ in hub.served if name == MODEL] == [0, 4321]


def test_no_network_is_one_clear_error(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelFileError, match=r"does not answer .*Check the network"):
        pull(SPEC, tmp_path)


@pytest.mark.parametrize("endpoint", ["nonsense", "http://", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_an_endpoint_that_is_none_is_one_clear_error(
    endpoint: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    with pytest.raises(ModelFileError, match="HF_ENDPOINT"):
        pull(SPEC, tmp_path)
