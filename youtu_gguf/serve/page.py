"""The files that the page is made of, read once: what a client names is looked up among them, and never is a path."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from youtu_gguf.serve.etags import etag_of

FOLDER = Path(__file__).parent / "static"

INDEX = "index.html"
"""What is shown at `/`."""

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".license": "text/plain; charset=utf-8",
}
"""By the end of a name. Other files, such as the declarations for the type checker, are none of the page's."""

_WORTH_PACKING = 0.9
"""Share of a file's bytes above which it is sent as it is."""

_PACKED_PREFIX = "gzip-"

_LINE = r"(?:(?!\*/).)*"
_DOCUMENTATION = re.compile(rf"^[ \t]*/\*\*{_LINE}(?:\n[ \t]*\*(?!/){_LINE})*(?:\n[ \t]*)?\*/[ \t]*$", re.MULTILINE)
"""A comment of a script that documents what follows it, and stands in lines of its own."""

_OTHERS = "vendor/"
"""How the paths of scripts begin that are not ours."""


@dataclass(frozen=True)
class PageFile:
    """A file of the page.

    Attributes:
        media_type: Its Content-Type.
        body: Its bytes.
        packed: The same by gzip; None where that is hardly shorter.
        etag: Names `body`.
    """

    media_type: str
    body: bytes
    packed: bytes | None
    etag: str

    @property
    def packed_etag(self) -> str:
        """Names `packed`."""
        return f'"{_PACKED_PREFIX}{self.etag[1:]}'


@cache
def page_files() -> Mapping[str, PageFile]:
    """Return the files by their paths below the folder, such as "vendor/lit-html.js"."""
    found = {}
    for path in sorted(FOLDER.rglob("*")):
        media_type = _MEDIA_TYPES.get(path.suffix.lower())
        if media_type is not None and path.is_file():
            name = path.relative_to(FOLDER).as_posix()
            is_own_script = path.suffix == ".js" and not name.startswith(_OTHERS)
            body = without_documentation(path.read_text("utf-8")).encode() if is_own_script else path.read_bytes()
            found[name] = _page_file(body, media_type)
    return found


def without_documentation(script: str) -> str:
    """Return a script without what is written for those who change it: a sixth of what the page would else take.

    Lines stay where they are.
    """
    return _DOCUMENTATION.sub(lambda comment: "\n" * comment[0].count("\n"), script)


def _page_file(body: bytes, media_type: str) -> PageFile:
    packed = gzip.compress(body, mtime=0)
    is_worth_it = len(packed) <= _WORTH_PACKING * len(body)
    return PageFile(media_type, body, packed if is_worth_it else None, etag_of(body))
