"""Where pulled files lie: in the cache of Hugging Face tools, or as plain files in a folder."""

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
    """The cache of Hugging Face tools: files named by their hash, which whole files only are, and links to them.

    Layout and locks: huggingface_hub's guide, "Understand caching".
    """

    def __init__(self, root: Path, spec: Spec) -> None:
        self.root, self._spec = root, spec
        self._repository = repository_folder(spec.repository, root)

    def place(self, file: RemoteFile) -> Place:
        """Return where a file lies, by its hash."""
        blobs = self._repository / "blobs"
        lock = self.root / ".locks" / self._repository.name / f"{file.etag}.lock"
        return Place(blobs / file.etag, blobs / f"{file.etag}{PARTIAL}", lock)

    def holds(self, file: RemoteFile) -> bool:
        """Tell whether a file is there, whole."""
        return self.place(file).destination.exists()

    def publish(self, file: RemoteFile) -> Path:
        """Give a whole file its name, and return that.

        Raises:
            ModelFileError: The hub cannot be asked, or has another file of that name by now.
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
                    f"{file.name} has changed on the hub while it was fetched, or {constants.ENDPOINT} gives it "
                    "another hash than it lists. Pull again, and if it stays so, from another HF_ENDPOINT."
                )
            return Path(str(with_retries(lambda: link(dry_run=False))))
        except (httpx2.HTTPError, OfflineModeIsEnabled) as exc:
            raise ModelFileError(f"{explained(exc, file.name)} What has arrived is kept.") from exc
        except OSError as exc:
            raise InputError(f"expected to name {file.name} in {self.root}; got: {exc}. Pull again.") from exc


class Folder:
    """Plain files in a folder of the user's."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def place(self, file: RemoteFile) -> Place:
        """Return where a file lies, by its name."""
        partial, lock = (self.root / f".{file.name}{ending}" for ending in (PARTIAL, ".lock"))
        return Place(self.root / file.name, partial, lock)

    def holds(self, file: RemoteFile) -> bool:
        """Tell whether a file is there, whole.

        Raises:
            InputError: There is something else of that name.
        """
        path = self.place(file).destination
        if not path.exists():
            return False
        if path.is_dir() or path.stat().st_size != file.n_bytes or file_hash(path, file) != file.etag:
            raise InputError(
                f"expected {path} to be free, or the published file; there is something else. Move it away, or name "
                "another folder."
            )
        return True

    def publish(self, file: RemoteFile) -> Path:
        """Return the path of a whole file."""
        return self.place(file).destination
