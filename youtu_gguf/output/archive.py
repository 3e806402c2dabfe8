"""Several files as one .zip file, whose bytes depend on nothing but the files."""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the date of all files, so that equal files are equal archives
_COMPRESSED = ".png"  # such files become no smaller


def zip_bytes(files: Iterable[tuple[str, str | bytes]]) -> bytes:
    """Return files, each with its path, as the bytes of a .zip file."""
    buffer = BytesIO()
    with ZipFile(buffer, "w") as archive:
        for file, content in files:
            info = ZipInfo(file, _LONG_AGO)
            info.compress_type = ZIP_STORED if file.endswith(_COMPRESSED) else ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()
