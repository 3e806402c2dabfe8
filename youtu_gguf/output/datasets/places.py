"""Where in a data set the file about an image is: below one folder, whatever the image is called."""

from __future__ import annotations

from pathlib import PurePosixPath

from youtu_gguf.errors import InputError

_LONGEST = 255
"""Bytes of a file's name that file systems take."""


class Places:
    """Files for images, in folders as the images are. Each image has its own.

    Args:
        suffix: The end of the files' names, which takes the place of that of the image.
    """

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self._owners: dict[str, str] = {}
        self._folders: set[str] = {""}

    def add(self, name: str) -> str:
        """Return the path of the file about the image `name`: relative, without "..", drives and the like.

        Raises:
            InputError: It has no place of its own: another image would have the same, as a.jpg and a.png in one folder,
                or the name is none for a file.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        if path.name in ("", ".."):
            raise InputError("it has no name")
        path = path.with_name(path.stem + self._suffix)
        parts = [part for part in path.parts if part not in ("/", "..") and not part.endswith(":")]
        try:
            longest = max(len(part.encode()) for part in parts)
        except UnicodeEncodeError as exc:
            raise InputError("its name is no text") from exc
        if longest > _LONGEST:
            raise InputError("its name is too long for a file")
        file = "/".join(parts)
        folders = {"/".join(parts[:n]) for n in range(1, len(parts))}
        if file in self._owners:
            raise InputError(f"it would share {file} with {self._owners[file]}; rename one of them")
        if file in self._folders or folders & self._owners.keys():
            raise InputError(f"{file} would be a file and a folder; rename the image")
        self._owners[file] = name
        self._folders |= folders
        return file
