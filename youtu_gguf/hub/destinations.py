"""Where pulled files go: into the cache of Hugging Face tools, or into a folder as plain files."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from huggingface_hub import constants

from youtu_gguf.atomic import write_bytes
from youtu_gguf.errors import InputError, OutputError
from youtu_gguf.hub.download import Place, RemoteFile, file_hash, is_complete
from youtu_gguf.hub.local import MAIN, PARTIAL, repository_folder
from youtu_gguf.hub.spec import Spec


class Cache:
    """The cache of Hugging Face tools: complete files, named by their hash, and links to them.

    Layout and locks: huggingface_hub's guide, "Understand caching". The links are made here, because huggingface-hub
    asks the hub for each file once more before it makes one, and refuses the answers of mirrors that redirect.
    """

    def __init__(self, root: Path, spec: Spec, commit: str) -> None:
        self.root, self._spec, self._commit = root, spec, commit
        self._repository = repository_folder(spec.repository, root)

    def place(self, file: RemoteFile) -> Place:
        """Return where a file belongs, by its hash."""
        blobs = self._repository / "blobs"
        lock = self.root / ".locks" / self._repository.name / f"{file.etag}.lock"
        return Place(blobs / file.etag, blobs / f"{file.etag}{PARTIAL}", lock)

    def holds(self, file: RemoteFile) -> bool:
        """Return whether a file is there, with as many bytes as it should have."""
        return is_complete(self.place(file).destination, file) or is_complete(self._name_of(file), file)

    def publish(self, *files: RemoteFile) -> tuple[Path, ...]:
        """Link complete files under their names, record the commit for the revision, and return the links.

        Raises:
            OutputError: The folder cannot be written to.
        """
        try:
            for file in files:
                if not is_complete(self._name_of(file), file):
                    _link(self.place(file).destination, self._name_of(file))
            revision = self._spec.revision or MAIN
            reference = self._repository / "refs" / revision
            if revision != self._commit and not _holds_text(reference, self._commit):
                reference.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(reference, self._commit.encode())
        except OSError as exc:
            raise OutputError(f"expected to name the files of {self._spec} in {self.root}; got: {exc}.") from exc
        return tuple(map(self._name_of, files))

    def _name_of(self, file: RemoteFile) -> Path:
        return self._repository / "snapshots" / self._commit / file.name


class Folder:
    """Plain files in a folder that the user names."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, file: RemoteFile) -> Place:
        """Return where a file belongs, by its name."""
        destination = self.root / file.name
        partial, lock = (destination.with_name(f".{destination.name}{ending}") for ending in (PARTIAL, ".lock"))
        return Place(destination, partial, lock)

    def holds(self, file: RemoteFile) -> bool:
        """Return whether a file is there and complete.

        Raises:
            InputError: Another file has that name.
        """
        path = self.place(file).destination
        if not path.exists():
            return False
        if path.is_dir() or path.stat().st_size != file.n_bytes or file_hash(path, file) != file.etag:
            raise InputError(
                f"expected {path} to be free, or the published file; got another file. Move it away, or name "
                "another folder."
            )
        return True

    def publish(self, *files: RemoteFile) -> tuple[Path, ...]:
        """Return the paths of complete files."""
        return tuple(self.place(file).destination for file in files)


def _link(blob: Path, name: Path) -> None:
    """Let `name` lead to `blob`, by a relative link; where links are not possible, move the file there."""
    name.parent.mkdir(parents=True, exist_ok=True)
    # Of this thread: threads that name the same file would take each other's link away, or move the file.
    temporary = name.with_name(f".{name.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        if constants.HF_HUB_DISABLE_SYMLINKS:
            raise OSError("HF_HUB_DISABLE_SYMLINKS is set")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(os.path.relpath(blob, name.parent))
    except OSError:  # Windows without developer mode, and some file systems
        blob.replace(name)
    else:
        temporary.replace(name)


def _holds_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="ascii", errors="replace") == text
