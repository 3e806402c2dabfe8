"""The image of a task: in the request itself, or at the one Label Studio that the server was told of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from youtu_gguf.serve.errors import ApiError
from youtu_gguf.serve.inputs import find_image

if TYPE_CHECKING:
    from youtu_gguf.serve.core import Core
    from youtu_gguf.serve.images import StoredImage

_FOLDERS = ("/data/upload/", "/data/local-files/", "/storage-data/uploaded/", "/static/")
"""Paths of Label Studio that hold images: nothing else is asked of it with its token."""

_UNSAFE = re.compile(r"(?:^|/)\.{1,2}(?:/|$)|%2e|%2f|%5c|\\", re.IGNORECASE)


async def task_image(core: Core, value: object) -> StoredImage:
    """Return the image that a task's data has: a data URI, the id of one of ours, or a file of Label Studio.

    Raises:
        ApiError: It is none of these, or cannot be used.
    """
    if not isinstance(value, str) or value.startswith(("data:", "img_", "file-img_")):
        return await find_image(core, value, "data")
    base, token = core.settings.label_studio_url, core.settings.label_studio_token
    if base is None:
        raise _refused("this server was not told of a Label Studio. Start it with --label-studio-url.")
    url = image_url(base, value)
    headers = {} if token is None else {"Authorization": f"Token {token}"}
    image, _ = await core.images.add(await core.fetch(url, allowed=origin_of(base), headers=headers))
    return image


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def image_url(base: str, value: str) -> str:
    """Return the URL of a task's image at the Label Studio at `base`.

    Raises:
        ApiError: It lies elsewhere, or is nothing that Label Studio has as a file.
    """
    base = base.rstrip("/")
    path = value.removeprefix(base) if value.startswith(f"{base}/") else value
    if path.startswith(("upload/", "/upload/")):
        path = f"/data/{path.lstrip('/')}"
    if not path.startswith("/"):
        raise _refused("it does not lie there.")
    if not path.startswith(_FOLDERS) or _UNSAFE.search(path):
        raise _refused(f"its path must begin with {', '.join(_FOLDERS)}.")
    return base + quote(path, safe="/%?&=+,;:@!$'()*~-._")


def _refused(why: str) -> ApiError:
    return ApiError(
        403, "url_not_allowed",
        f"images are data URIs, ids of this server's images, or files of the one Label Studio: {why}", param="data",
    )  # fmt: skip
