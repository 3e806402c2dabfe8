"""The way in: `load()` gives a model, and `Model.open` a scene to ask."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Unpack, get_args

from youtu_gguf.arguments import checked_name, checked_path, is_server
from youtu_gguf.calibration.assumptions import DEFAULT, Calibration, given_calibration
from youtu_gguf.config import LoadSettings, Settings, make_settings
from youtu_gguf.engines.base import Engine
from youtu_gguf.environment import default_engine
from youtu_gguf.errors import InputError
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.hub.models import fetch_missing
from youtu_gguf.images import load as images
from youtu_gguf.scene.chat import Chat
from youtu_gguf.scene.scene import Scene
from youtu_gguf.types import CalibrationWord, Counts, EngineName, ProgressFn, no_progress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from youtu_gguf.engines.llama_server.engine import ServerEngine
    from youtu_gguf.engines.native.engine import NativeEngine
    from youtu_gguf.gguf.pair import ModelPair
    from youtu_gguf.images.load import ImageLike


def load(
    model: str | PathLike[str] | None = None,
    mmproj: str | PathLike[str] | None = None,
    engine: str | Engine | None = "native",
    progress: ProgressFn | None = None,
    *,
    calibration: CalibrationWord | Calibration = "stored",
    **settings: Unpack[LoadSettings],
) -> Model:
    """Load a model pair.

    Args:
        model: Path of the language model's GGUF, or of a folder that holds the pair; "nano" for the small model that
            ships with the package; or a Hugging Face repository, as `ORG/NAME[:QUANT][@REVISION]`, pulled if it is
            not on this machine and `HF_HUB_OFFLINE` is not set. None takes what the environment variable
            `YOUTU_GGUF_MODEL` says, else the published model if it has been pulled, to `models/` or the cache.
        mmproj: Path of the projector's GGUF; found beside the model when None.
        engine: "native" runs llama.cpp in this process. "server" starts a llama-server and keeps it running, for many
            answers at a time. "http://host:port/v1" asks a server that you have, such as a llama-server elsewhere or
            vLLM; `model` is then the name it has there, the first one listed when None. Neither gives maps
            (docs/servers.md). An `Engine` of your own is used as it is, without `model` and `mmproj`. None takes what
            the environment variable `YOUTU_GGUF_ENGINE` says, else "native".
        progress: Called with (stage, done, total) while pulling, loading, encoding, prefilling and generating.
        calibration: What is assumed about the weights and has not been published: "stored", what `calibrate` found out
            about these very files on this machine and `calibration.store` kept, else the defaults; "default"; or your
            own. Only the engine "native" has anything stored.
        settings: Fields of `youtu_gguf.config.Settings`, `ServerSettings` and `Sampling` by name, such as `n_ctx`,
            `threads`, `n_gpu_layers`, `image_max_tokens`, `max_tokens`, `n_slots`; NumPy's numbers count.

    Raises:
        ModelFileError: A file is missing, broken, or not one of the pair, or the stored calibration is damaged.
        EngineError: llama.cpp cannot load it.
        InputError: An unknown engine, calibration or setting.
    """
    given = given_calibration(calibration)
    chosen = make_settings(**settings)
    report = progress or no_progress
    if engine is None:
        engine = default_engine() or "native"
    if not isinstance(engine, str):
        return Model(engine, chosen, given or DEFAULT, progress=report)
    if is_server(engine):
        from youtu_gguf.engines.http.engine import RemoteEngine

        if mmproj is not None:
            raise InputError(f"a server has its projector itself; got mmproj={mmproj!r} beside {engine}. Leave it out.")
        name = None if model is None else checked_name(model)
        remote = RemoteEngine(engine, name, chosen, report)
        return Model(remote, chosen, given or DEFAULT, files={remote.model: None}, progress=report)
    if engine not in get_args(EngineName):
        raise InputError(
            f'engine must be "native", "server", "http://host:port/v1" or an Engine object; got {engine!r}.'
        )
    pair = _find_pair(model, mmproj, report)
    if given is None:
        given = _stored_calibration(pair) if engine == "native" else DEFAULT
    loaded = _load_files(engine, pair, chosen, report)
    files = (loaded.pair.model.path, loaded.pair.projector.path)
    return Model(loaded, chosen, given, {path.name: path.stat().st_size for path in files}, report, loaded.pair)


def _stored_calibration(pair: ModelPair) -> Calibration:
    from youtu_gguf.calibration.storage import in_force
    from youtu_gguf.gguf.fingerprint import fingerprint

    title = str(pair.model.metadata.get("general.name"))
    return in_force(title, lambda: fingerprint(pair.model, pair.projector))


def _find_pair(
    model: str | PathLike[str] | None, mmproj: str | PathLike[str] | None, progress: ProgressFn
) -> ModelPair:
    from youtu_gguf.gguf.pair import check_pair

    return check_pair(fetch_missing(model, progress), checked_path("mmproj", mmproj) if mmproj else None)


def _load_files(engine: str, pair: ModelPair, settings: Settings, progress: ProgressFn) -> NativeEngine | ServerEngine:
    if engine == "server":
        from youtu_gguf.engines.llama_server.engine import ServerEngine

        return ServerEngine(pair, settings, progress)
    from youtu_gguf.engines.native.engine import NativeEngine

    return NativeEngine(pair, settings, progress)


class Model:
    """A loaded model. Use it as a context manager, or close it yourself. Any number of threads may use it.

    Attributes:
        engine: What runs the network.
        calibration: What is assumed about the weights and has not been published.
        files: Names and bytes of the files it was loaded from; of a remote server its name for the model, and
            None; nothing with an engine of your own.
        progress: Called with the steps of tasks that take many.
        pair: What was read of those files before loading; None with other engines.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        calibration: Calibration = DEFAULT,
        files: Mapping[str, int | None] | None = None,
        progress: ProgressFn = no_progress,
        pair: ModelPair | None = None,
    ) -> None:
        self.pair = pair
        self.files = dict(files or {})
        self.progress = progress
        self.engine = engine
        self.settings = settings
        self.calibration = calibration

    def open(self, image: ImageLike) -> Scene:
        """Decode an image and get ready to ask about it; encoding waits for the first question.

        Args:
            image: A path, a file's bytes, a Pillow image, or an (H, W, 3) uint8 RGB array. What it becomes later makes
                no difference: a buffer may be filled again, and a file written over.

        Raises:
            InputError: The image cannot be used, or does not fit into the context.
            EngineError: It does not fit into the free memory.
        """
        opened = images.load_prepared(image, self.engine.image_max_tokens)
        prepared = opened.prepared, opened.transform
        return Scene(self, opened.rgb, opened.focal_px, path=opened.path, prepared=prepared)

    def chat(self, *images: ImageLike | Scene, system: str = DEFAULT_SYSTEM) -> Chat:
        """Begin a conversation about several images, or about none: `model.chat().ask("Hello!")`.

        Args:
            images: What `open` takes, or scenes; the model sees them in this order, before the first question.
            system: Text that tells the model what it is and how to answer.

        Raises:
            InputError: An image cannot be used, or they do not fit into the context together.
        """
        chat = Chat(self, system=system)
        chat.attach(*images)
        return chat

    def counts(self) -> Counts:
        """Return what the model has done since it was loaded, for all callers together: decodes, tokens, seconds."""
        return self.engine.counts()

    def close(self) -> None:
        """Free the model and every scene of it."""
        self.engine.close()

    def __enter__(self) -> Model:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        name = self.pair.model.path.name if self.pair else next(iter(self.files), "")
        n_ctx = self.settings.n_ctx if self.pair is None else self.settings.context(self.pair.language.n_ctx_train)
        placement = str(getattr(self.engine, "placement", ""))  # of the native engine
        shown = (name, self.engine.name, placement, "" if n_ctx is None else f"n_ctx {n_ctx}")
        return f"Model({', '.join(filter(None, shown))})"
