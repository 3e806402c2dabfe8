"""Where pulled files go: into the cache of Hugging Face tools, or into a folder as plain files."""

from __future__ import annotations

from pathlib import Path

import httpx2
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import OfflineModeIsEnabled

from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.hub.download import LIBRARY, Place, RemoteFile, file_hash
from youtu_gguf.hub.local import PARTIAL, repository_folder
from youtu_gguf.hub.retry import explained, with_retries
from youtu_gguf.hub.spec import Spec


class Cache:
    """The cache of Hugging Face tools: complete files, named by their hash, and links to them.

    Layout and locks: huggingface_hub's guide, "Understand caching".
    """

    def __init__(self, root: Path, spec: Spec) -> None:
        self.root, self._spec = root, spec
        self._repository = repository_folder(spec.repository, root)

    def place(self, file: RemoteFile) -> Place:
        """Return where a file belongs, by its hash."""
        blobs = self._repository / "blobs"
        lock = self.root / ".locks" / self._repository.name / f"{file.etag}.lock"
        return Place(blobs / file.etag, blobs / f"{file.etag}{PARTIAL}", lock)

    def holds(self, file: RemoteFile) -> bool:
        """Return whether a file is there and complete."""
        return self.place(file).destination.exists()

    def publish(self, file: RemoteFile) -> Path:
        """Link a complete file under its name, and return the link.

        Raises:
            ModelFileError: The hub cannot be asked, or now has another file of that name.
            InputError: The folder cannot be written to.
        """

        def link(*, dry_run: bool) -> object:
            return hf_hub_download(
                self._spec.repository,
                file.name,
                revision=self._spec.revision,
                cache_dir=self.root,
                dry_run=dry_run,
                library_name=LIBRARY,
            )

        try:
            if with_retries(lambda: link(dry_run=True)).will_download:  # type: ignore[attr-defined]
                raise ModelFileError(
                    f"{file.name} has changed on the hub during the download, or {constants.ENDPOINT} gives it "
                    "another hash than it lists. Pull again, and if that does not help, from another HF_ENDPOINT."
                )
            return Path(str(with_retries(lambda: link(dry_run=False))))
        except (httpx2.HTTPError, OfflineModeIsEnabled) as exc:
            raise ModelFileError(f"{explained(exc, file.name)} What has arrived is kept.") from exc
        except OSError as exc:
            raise InputError(f"expected to name {file.name} in {self.root}; got: {exc}. Pull again.") from exc


class Folder:
    """Plain files in a folder that the user names."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, file: RemoteFile) -> Place:
        """Return where a file belongs, by its name."""
        partial, lock = (self.root / f".{file.name}{ending}" for ending in (PARTIAL, ".lock"))
        return Place(self.root / file.name, partial, lock)

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

    def publish(self, file: RemoteFile) -> Path:
        """Return the path of a complete file."""
        return self.place(file).destination
