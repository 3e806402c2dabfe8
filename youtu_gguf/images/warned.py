"""Hides what Pillow warns of in damaged images, which are read or refused all the same, in any number of threads."""

from __future__ import annotations

import threading
import warnings

_MODULES = r"(PIL|pi_heif|youtu_gguf\.images)\b"


class _Hidden:
    """Hides Pillow's warnings in `with` blocks, which may overlap in time and be inside each other.

    `warnings.catch_warnings` alone is not for threads: a block that ends after one that it began in leaves the filters
    of that one behind, for the whole process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_blocks = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._n_blocks += 1
            if self._n_blocks == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=_MODULES)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_blocks -= 1
            if not self._n_blocks:
                self._filters.__exit__(None, None, None)


HIDDEN = _Hidden()
"""`with HIDDEN:` hides them."""
