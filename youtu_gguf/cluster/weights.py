"""The model of a run: how every node finds the same weights, and what is compared before it is used."""

from __future__ import annotations

import importlib.metadata
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, Self, Unpack, cast, get_args

import youtu_gguf as yg
from youtu_gguf.arguments import checked_path, is_server
from youtu_gguf.batch.messages import identity
from youtu_gguf.calibration.assumptions import DEFAULT, Calibration, given_calibration
from youtu_gguf.calibration.storage import in_force
from youtu_gguf.config import PROCESSOR, LoadSettings, make_settings
from youtu_gguf.environment import default_api_key, default_engine, default_model, hub_cache
from youtu_gguf.errors import EngineError, InputError, ModelFileError
from youtu_gguf.facts import REPOSITORY
from youtu_gguf.gguf.fingerprint import fingerprint
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.hub.local import as_spec, find_pulled
from youtu_gguf.hub.models import fetch_missing, find, pinned
from youtu_gguf.hub.spec import NANO
from youtu_gguf.types import CalibrationWord, EngineName, ProgressFn, no_progress

LLAMA = "llama-cpp-python"
"""The package that brings llama.cpp."""

SAME_WEIGHTS = (
    "Give every node the same files: on a disk that all nodes share, or under the same path on each; or name a "
    "repository (ORG/NAME:QUANT), which each node pulls by itself."
)


@dataclass(frozen=True)
class Found:
    """A pair of model files as one machine has it.

    Attributes:
        model: Path of the language model there.
        projector: Path of the projector there.
        fingerprint: Of both, see `gguf.fingerprint`.
        title: `general.name` of the language model, which its calibration may depend on.
        spec: The repository, encoding and commit that they were pulled from, if that is known.
    """

    model: str
    projector: str
    fingerprint: str
    title: str
    spec: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A model pair in terms that any machine can look up.

    Attributes:
        model: An absolute path, "nano", or ORG/NAME[:QUANT][@REVISION].
        mmproj: An absolute path; None for the projector beside the model.
    """

    model: str
    mmproj: str | None = None

    @classmethod
    def of(cls, model: str | PathLike[str] | None, mmproj: str | PathLike[str] | None = None) -> Self:
        """Return what `load` would look for, given the same arguments on this machine.

        Raises:
            InputError: That cannot be a path.
            ModelFileError: No model is named, and the published one is not on this machine.
        """
        beside = None if mmproj is None else str(checked_path("mmproj", mmproj).absolute())
        named = model or default_model()
        if named is None:
            find(None, beside)
            named = REPOSITORY
        spec = as_spec(named)
        if spec is not None or named == NANO:
            return cls(str(spec or named), beside)
        return cls(str(checked_path("model", named).absolute()), beside)

    @property
    def is_here(self) -> bool:
        """Whether this machine has the files; without a look into them."""
        if self.mmproj is not None and not Path(self.mmproj).exists():
            return False
        spec = as_spec(self.model)
        return self.model == NANO or (
            Path(self.model).exists() if spec is None else find_pulled(spec, hub_cache()) is not None
        )

    def look_up(self, progress: ProgressFn = no_progress) -> Found:
        """Return the files of this machine, pulling those of a repository that are not here. Nothing is loaded.

        However many processes ask at once, each file is pulled once.

        Raises:
            ModelFileError: They are not here and cannot be pulled, or are broken.
        """
        path = fetch_missing(self.model, progress)
        pair = check_pair(path, self.mmproj)
        spec = as_spec(self.model)
        origin = None if spec is None else pinned(spec, path)
        return Found(
            str(pair.model.path.absolute()),
            str(pair.projector.path.absolute()),
            fingerprint(pair.model, pair.projector),
            str(pair.model.metadata.get("general.name")),
            None if origin is None else str(origin),
        )


@dataclass(frozen=True)
class Build:
    """Versions that results depend on."""

    youtu_gguf: str
    llama_cpp_python: str

    @classmethod
    def here(cls) -> Self:
        """Return the versions of this machine; "none" where llama-cpp-python is not installed."""
        try:
            llama = importlib.metadata.version(LLAMA)
        except importlib.metadata.PackageNotFoundError:
            llama = "none"
        return cls(yg.__version__, llama)


Ask = Callable[[Wanted], Found]
"""Calls `Wanted.look_up` on another machine."""


class Loads(Protocol):
    """How actors load a model: a `Loading`, or anything that can be pickled and does the same."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What results depend on of the model: see `batch.messages.identity_of`."""
        ...

    @property
    def about(self) -> Mapping[str, Any]:
        """What results may differ by in rounding, for the record."""
        ...

    def sized(self, cpus: int, gpus: float = 0.0) -> Self:
        """Return the same with what an actor has of a machine."""
        ...

    def load(self, progress: ProgressFn = no_progress) -> yg.Model:
        """Load the model."""
        ...

    def check(self, found: Mapping[str, Any], node: str) -> None:
        """Check what `identity_of` says of the model that was loaded on `node`.

        Raises:
            ModelFileError: It is not the model of the run.
        """
        ...


@dataclass(frozen=True)
class Loading:
    """How every actor of a run loads the model, and what it then must be. Can be pickled.

    Attributes:
        engine: "native", "server", or the address of a server.
        wanted: The model's files; None with the address of a server.
        found: Those that this run began with; a node that has them under the same path takes them.
        settings: For `load`; see `sized`.
        calibration: That in force where the run began; a node's own is not looked up.
        identity: What results depend on of the model: see `batch.messages.identity_of`.
        build: The versions where the run began.
        name: Of the model at a server's address.
        gpus: GPUs of an actor; see `sized`.
    """

    engine: str
    settings: Mapping[str, Any] = field(repr=False)
    identity: Mapping[str, Any]
    build: Build
    wanted: Wanted | None = None
    found: Found | None = None
    calibration: Calibration = DEFAULT
    name: str | None = None
    gpus: float = 0.0

    @classmethod
    def of(
        cls,
        model: str | PathLike[str] | None = None,
        mmproj: str | PathLike[str] | None = None,
        engine: str | None = "native",
        *,
        calibration: CalibrationWord | Calibration = "stored",
        ask: Ask | None = None,
        progress: ProgressFn = no_progress,
        **settings: Unpack[LoadSettings],
    ) -> Self:
        """Find the model of a run, without loading it. `sized` then says what actors have of a machine.

        Args:
            model: As for `load`. A path must lead to the same files on every node.
            mmproj: As for `load`.
            engine: As for `load`, but no engine of your own.
            calibration: As for `load`; "stored" means what is stored on this machine.
            ask: Looks for files that are not on this machine where the actors will run; None pulls them to this one.
            progress: Called while files are pulled to this machine.
            settings: As for `load`.

        Raises:
            ModelFileError: The files are missing or broken.
            ServerError: The server at the address does not answer.
            InputError: An invalid argument.
        """
        make_settings(**settings)
        engine = engine or default_engine() or "native"
        if not isinstance(engine, str):
            raise InputError(
                f'expected an engine that every node can start: "native", "server" or the address of a server; got '
                f"{engine!r}."
            )
        given = given_calibration(calibration)
        if is_server(engine):
            settings["api_key"] = settings.get("api_key") or default_api_key()
            with yg.load(model, mmproj, engine, **settings) as remote:
                name = next(iter(remote.files))
            return cls(engine, settings, identity(name=name), Build.here(), name=name)
        if engine not in get_args(EngineName):
            raise InputError(f'engine must be "native", "server" or "http://host:port/v1"; got {engine!r}.')
        wanted = Wanted.of(model, mmproj)
        found = wanted.look_up(progress) if ask is None or wanted.is_here else ask(wanted)
        if found.spec is not None:
            wanted = Wanted(found.spec, wanted.mmproj)
        has_states = engine == "native"
        if given is None:
            given = in_force(found.title, lambda: found.fingerprint) if has_states else DEFAULT
        about = identity(given if has_states else None, fingerprint=found.fingerprint)
        return cls(engine, settings, about, Build.here(), wanted, found, given)

    def sized(self, cpus: int, gpus: float = 0.0) -> Self:
        """Return the same with what an actor has of a machine, which Ray does not keep it to.

        Args:
            cpus: Processors of an actor, which are its threads where `threads` does not say less.
            gpus: GPUs of an actor; without any, the model is computed on processors.

        Raises:
            InputError: The settings ask for more than that.
        """
        threads = self.settings.get("threads") or cpus
        if threads > cpus:
            raise InputError(
                f"expected at most {cpus} threads, the processors of an actor; got threads={threads}. Raise "
                "cpus_per_actor, or leave threads out."
            )
        chosen = {**self.settings, "threads": int(threads)}
        return replace(self, gpus=gpus, settings=chosen if gpus else chosen | _on_processors(self.settings))

    @property
    def about(self) -> dict[str, Any]:
        """What results may differ by in rounding, for the record: threads and versions."""
        return {"threads": self.settings.get("threads"), **asdict(self.build)}

    def load(self, progress: ProgressFn = no_progress) -> yg.Model:
        """Load the model on a node, after a check that it is the same one.

        Raises:
            ModelFileError: Its files are missing or broken there, or others than those of the run.
            EngineError: Other versions are installed there, it has no GPU for an actor that is to have one, or
                llama.cpp cannot load it.
        """
        node = socket.gethostname()
        self.check_build(node)
        if self.gpus and self.engine == "native" and not yg.weights.gpus():
            raise EngineError(
                f"expected {self.gpus:g} GPUs for an actor; llama.cpp sees none on {node}. Install a llama-cpp-python "
                "that was built for them there (docs/gpu.md), or leave gpus_per_actor out."
            )
        settings = cast("LoadSettings", self.settings)
        if self.wanted is None:
            return yg.load(self.name, None, self.engine, progress, **settings)
        here = self._look_up_here(progress)
        return yg.load(here.model, here.projector, self.engine, progress, calibration=self.calibration, **settings)

    def check_build(self, node: str) -> None:
        """Check the versions that this process has.

        Raises:
            EngineError: They are not those of the run.
        """
        here = Build.here()
        if here.youtu_gguf != self.build.youtu_gguf:
            raise _other_version(node, "youtu_gguf", here.youtu_gguf, self.build.youtu_gguf)
        if self.engine == "native" and here.llama_cpp_python != self.build.llama_cpp_python:
            raise _other_version(node, LLAMA, here.llama_cpp_python, self.build.llama_cpp_python)

    def check(self, found: Mapping[str, Any], node: str) -> None:
        """Check what a model that was loaded is.

        Args:
            found: What `batch.messages.identity_of` says of it.
            node: Where it was loaded.

        Raises:
            ModelFileError: It is not the model of the run.
        """
        for part, expected in self.identity.items():
            if found.get(part) != expected:
                raise ModelFileError(
                    f"expected on {node} the {part} that the run began with, {_short(expected)}; got "
                    f"{_short(found.get(part))}. {SAME_WEIGHTS}"
                )

    def _look_up_here(self, progress: ProgressFn) -> Found:
        assert self.wanted is not None
        assert self.found is not None
        node = socket.gethostname()
        same_place = Wanted(self.found.model, self.found.projector)
        wanted = same_place if self.wanted.model != NANO and same_place.is_here else self.wanted
        if as_spec(wanted.model) is None and not wanted.is_here:
            raise ModelFileError(f"expected the model on every node; {node} has no {wanted.model}. {SAME_WEIGHTS}")
        try:
            here = wanted.look_up(progress)
        except ModelFileError as exc:
            raise ModelFileError(f"on {node}: {exc}") from exc
        if here.fingerprint != self.found.fingerprint:
            raise ModelFileError(
                f"expected on every node the files that the run began with, {self.found.model} with the fingerprint "
                f"{self.found.fingerprint}; {node} has {here.model} with {here.fingerprint}. {SAME_WEIGHTS}"
            )
        return here


def _on_processors(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that keep a model off GPUs, after a check that no other device is named."""
    for name in ("device", "mmproj_device"):
        if str(settings.get(name) or PROCESSOR).lower() != PROCESSOR:
            raise InputError(
                f"expected GPUs for {name}={settings.get(name)!r}; an actor has none. Set gpus_per_actor, or leave "
                f"{name} out."
            )
    return {"device": PROCESSOR}


def _other_version(node: str, package: str, here: str, expected: str) -> EngineError:
    return EngineError(
        f"expected {package} {expected} on every node, as where the run began; {node} has {here}. Install it there: "
        f"pip install {package}=={expected}."
    )


def _short(value: object) -> str:
    return ", ".join(f"{name} {part}" for name, part in value.items()) if isinstance(value, Mapping) else str(value)
