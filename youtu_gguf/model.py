"""The way in: `load()` gives a model, and `Model.open` a scene to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from youtu_gguf import image as images
from youtu_gguf.config import Settings, checked_path, make_settings
from youtu_gguf.decode.calibration import DEFAULT, Calibration
from youtu_gguf.engines.base import Engine
from youtu_gguf.errors import InputError
from youtu_gguf.scene import Scene
from youtu_gguf.types import ProgressFn, no_progress
from youtu_gguf.weights import fetch_missing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike
    from types import TracebackType

    from youtu_gguf.engines.native import NativeEngine
    from youtu_gguf.image import ImageLike


def load(
    model: str | PathLike[str] | None = None,
    mmproj: str | PathLike[str] | None = None,
    engine: str | Engine = "native",
    progress: ProgressFn | None = None,
    **settings: Any,
) -> Model:
    """Load a model pair.

    Args:
        model: Path of the language model's GGUF, or of a folder that holds the pair; "nano" for the small model that
            ships with the package; or a Hugging Face repository, as ORG/NAME[:QUANT][@REVISION], which is pulled if it
            is not on this machine and `HF_HUB_OFFLINE` is not set. None takes what the environment variable
            `YOUTU_GGUF_MODEL` says, else the published model if it has been pulled, to `models/` or the cache.
        mmproj: Path of the projector's GGUF; found beside the model when None.
        engine: "native" runs llama.cpp in this process. An `Engine` of your own is used as it is; `model` and
            `mmproj` are then not looked at.
        progress: Called with (stage, done, total) while pulling, loading, encoding, prefilling and generating.
        settings: Fields of `youtu_gguf.config.Settings` and `youtu_gguf.engines.base.Sampling` by name, such as
            `n_ctx`, `threads`, `n_gpu_layers`, `image_max_tokens`, `max_tokens`.

    Raises:
        ModelFileError: A file is missing, broken, or not one of the pair.
        EngineError: llama.cpp cannot load it.
        InputError: An unknown engine or setting.
    """
    chosen = make_settings(**settings)
    if not isinstance(engine, str):
        return Model(engine, chosen)
    if engine != "native":
        raise InputError(f'engine must be "native" or an Engine object; got {engine!r}.')
    loaded = _load_native(model, mmproj, chosen, progress)
    files = (loaded.pair.model.path, loaded.pair.projector.path)
    return Model(loaded, chosen, files={path.name: path.stat().st_size for path in files})


def _load_native(
    model: str | PathLike[str] | None,
    mmproj: str | PathLike[str] | None,
    settings: Settings,
    progress: ProgressFn | None,
) -> NativeEngine:
    from youtu_gguf.files.pair import check_pair

    model_path = fetch_missing(model, progress or no_progress)
    pair = check_pair(model_path, checked_path("mmproj", mmproj) if mmproj else None)
    from youtu_gguf.engines.native import NativeEngine

    return NativeEngine(pair, settings, progress or no_progress)


class Model:
    """A loaded model. Use it as a context manager, or close it yourself. Any number of threads may use it.

    Attributes:
        engine: What runs the network.
        calibration: What is assumed about the weights that nobody has published.
        files: Names and bytes of the files it was loaded from; none with an engine of your own.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        calibration: Calibration = DEFAULT,
        files: Mapping[str, int] | None = None,
    ) -> None:
        self.files = dict(files or {})
        self.engine = engine
        self.settings = settings
        self.calibration = calibration

    def open(self, image: ImageLike) -> Scene:
        """Decode an image and get ready to ask about it; encoding waits for the first question.

        Args:
            image: A path, a file's bytes, a Pillow image, or an (H, W, 3) uint8 RGB array.

        Raises:
            InputError: The image cannot be used, or does not fit into the context.
        """
        return Scene(self, images.load(image))

    def close(self) -> None:
        """Free the model and every scene of it."""
        self.engine.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
