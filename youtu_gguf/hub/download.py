"""The download of one published file, over a connection that may break at any byte.

huggingface-hub restarts a broken download from zero in another process, because its temporary files belong to one
process each. For six gigabytes this module does better: it streams the bytes through huggingface-hub's HTTP client
(with its endpoint, token, proxy and offline settings) into a file that the next try resumes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import httpx2
from huggingface_hub import constants, hf_raise_for_status
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # exported by name only

from youtu_gguf.errors import ModelFileError, OutputError
from youtu_gguf.gguf.header import MAGIC
from youtu_gguf.hub.local import SHA256_DIGITS
from youtu_gguf.hub.retry import connected, explained, new_backoff, pause_or_raise
from youtu_gguf.locks import locked

if TYPE_CHECKING:
    from hashlib import _Hash

Report = Callable[[int, int], None]
Notify = Callable[[str], None]

LIBRARY = "youtu_gguf"
"""Our name in requests to the hub."""

PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class RemoteFile:
    """A file as the hub lists it: `etag` is its sha256 where it is large, else the sha1 that git gives it."""

    name: str
    n_bytes: int
    etag: str
    url: str

    def new_hash(self) -> _Hash:
        """Return an empty hash of the kind that `etag` is."""
        if len(self.etag) == SHA256_DIGITS:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.n_bytes, usedforsecurity=False)


@dataclass(frozen=True)
class Place:
    """Paths of a file: complete, unfinished (on the same disk), and of the lock that is held during the download."""

    destination: Path
    partial: Path
    lock: Path


def file_hash(path: Path, file: RemoteFile) -> str:
    """Return the hash of `path`, of the kind that `file` has."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, file.new_hash).hexdigest()


def is_complete(path: Path, file: RemoteFile) -> bool:
    """Return whether `path` is there with as many bytes as the file has; its hash was checked when it was fetched.

    Raises:
        OSError: Its folder cannot be read.
    """
    return path.is_file() and path.stat().st_size == file.n_bytes


def fetch(file: RemoteFile, place: Place, report: Report, notify: Notify) -> None:
    """Download a file completely and with the right hash, or not at all.

    What has arrived is kept after every error but a wrong hash, and the next call resumes it.

    Args:
        file: What to fetch.
        place: Where to; an existing file of the right size is left unchanged, any other is replaced at the end.
        report: Called with (bytes there, bytes in all).
        notify: Called with a message before waiting for another process.

    Raises:
        ModelFileError: The file cannot be fetched, or is not the published one. Says what to do.
        OutputError: The folder cannot be written to, or the disk is full.
    """
    caller_failed = False

    def told(done: int, n_bytes: int) -> None:
        nonlocal caller_failed
        caller_failed = True
        report(done, n_bytes)
        caller_failed = False

    try:
        place.partial.parent.mkdir(parents=True, exist_ok=True)
        place.lock.parent.mkdir(parents=True, exist_ok=True)
        with locked(place.lock, lambda: notify(f"Another process is fetching {file.name}; waiting for it.")):
            if not is_complete(place.destination, file):
                with place.partial.open("ab") as out:
                    _complete(file, out, place.partial, told)
                place.partial.replace(place.destination)
    except (httpx2.HTTPError, OfflineModeIsEnabled) as exc:
        raise ModelFileError(
            f"{explained(exc, file.name)} What has arrived is kept, and the next try resumes it."
        ) from exc
    except OSError as exc:
        if caller_failed:
            raise
        raise OutputError(
            f"expected to write {file.name} to {place.destination.parent}; got: {exc}. Make room or choose another "
            "folder (HF_HUB_CACHE, or --dir); what has arrived is kept, and the next try resumes it."
        ) from exc


def _complete(file: RemoteFile, out: BinaryIO, partial: Path, report: Report) -> None:
    """Fetch what `partial` lacks, through `out`, which appends to it; check the complete file."""
    digest, there = file.new_hash(), 0
    with partial.open("rb") as arrived:
        while piece := arrived.read(PIECE_BYTES):
            digest.update(piece)
            there += len(piece)
            report(min(there, file.n_bytes), file.n_bytes)
    backoff, furthest = new_backoff(), there
    while there < file.n_bytes:
        try:
            for start, piece in _pieces(file, there):
                if start == 0 and there:  # the server ignores the range and sends everything
                    digest, there = file.new_hash(), 0
                    out.truncate(0)
                out.write(piece)
                out.flush()  # what has arrived survives a kill
                digest.update(piece)
                there += len(piece)
                report(there, file.n_bytes)
                if there > furthest:
                    furthest = there
                    backoff.reset()
            if there < file.n_bytes:
                raise httpx2.RemoteProtocolError(f"the server sent no more than {there:,} bytes")
        except (httpx2.TransportError, HfHubHTTPError) as exc:
            pause_or_raise(backoff, exc)
    os.fsync(out.fileno())
    if there != file.n_bytes or digest.hexdigest() != file.etag:
        out.truncate(0)
        raise ModelFileError(
            f"{file.name}: expected {file.n_bytes:,} bytes with hash {file.etag}; got {there:,} with "
            f"{digest.hexdigest()}. They were deleted; try again, and if that does not help, over another network."
        )


def _pieces(file: RemoteFile, there: int) -> Iterator[tuple[int, bytes]]:
    """Yield (position, bytes) of what follows the first `there` bytes, or of everything.

    Raises:
        ModelFileError: The server sends another file.
    """
    # Uncompressed: ranges and sizes would otherwise be those of the compressed bytes.
    headers = build_hf_headers(library_name=LIBRARY, headers={"Accept-Encoding": "identity"})
    if there:
        headers["Range"] = f"bytes={there}-"
    with connected().stream("GET", file.url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response:
        hf_raise_for_status(response)
        at, total = _extent(response)
        if at not in (0, there) or total not in (None, file.n_bytes):
            offered = "an unknown number of" if total is None else f"{total:,}"
            kind = response.headers.get("Content-Type", "of unknown type")
            raise ModelFileError(
                f"{file.name}: expected {file.n_bytes:,} bytes from byte {there:,} on; the server offers {offered} "
                f"bytes ({kind}) from byte {at:,} on. Where a network asks to log in first, do so in a browser; else "
                "try again later. What has arrived is kept."
            )
        for piece in response.iter_bytes():  # without a size: the bytes right before a break would be lost
            if at == 0 and not piece.startswith(MAGIC[: len(piece)]):
                raise ModelFileError(
                    f"{file.name}: expected a GGUF file; the server sends {piece[:20]!r}. Where a network asks to log "
                    "in first, do so in a browser; else try again later. What had arrived is kept."
                )
            if at + len(piece) > file.n_bytes:
                raise ModelFileError(f"{file.name}: expected {file.n_bytes:,} bytes; the server sends more. Try again.")
            yield at, piece
            at += len(piece)


def _extent(response: httpx2.Response) -> tuple[int, int | None]:
    """Return the position of the first byte sent, and the length of the complete file if the server gives it."""
    if response.status_code != httpx2.codes.PARTIAL_CONTENT:
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", "").strip())
    if found is None:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])
