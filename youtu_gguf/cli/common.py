"""What the commands share: options, and how an error becomes a message and an exit code."""

from __future__ import annotations

import functools
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

import youtu_gguf as yg
from youtu_gguf.arguments import checked_path
from youtu_gguf.atomic import DISK_FULL
from youtu_gguf.cli.help import ANSWER, MODEL
from youtu_gguf.cli.interrupts import INTERRUPTED, raising
from youtu_gguf.config import LoadSettings
from youtu_gguf.errors import EngineError, OutputError, YoutuError
from youtu_gguf.gguf.choice import LOG
from youtu_gguf.render import fonts
from youtu_gguf.scene.options import Options
from youtu_gguf.types import Draft, Lang, ProgressFn

Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Image file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print everything as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]

_ANSWER: dict[str, Any] = {"rich_help_panel": ANSWER}
_MODEL: dict[str, Any] = {"rich_help_panel": MODEL}

Mmproj = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Projector GGUF. [default: the one beside the model]", **_MODEL),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help='GGUF file, folder with the pair, "nano", or ORG/NAME[:QUANT]. [default: as for the tasks]',
        **_MODEL,
    ),
]
ContextLength = Annotated[
    int | None,
    typer.Option(
        "--n-ctx", metavar="N", help="Context length in tokens. [default: 16384, or the model's own]", **_MODEL
    ),
]
Threads = Annotated[int | None, typer.Option(metavar="N", help="CPU threads. [default: all cores]", **_MODEL)]


def _gpu_layers(typed: str) -> int | str:
    """Return the setting for what was typed; what is no number is left for the setting's own rule."""
    try:
        return -1 if typed == "all" else int(typed)
    except ValueError:
        return typed


GpuLayers = Annotated[
    str | None,
    typer.Option(
        "--gpu-layers",
        metavar="N|all|auto",
        parser=_gpu_layers,
        help="Layers to run on the GPU, of which the head is one. [default: auto, as many as fit]",
        **_MODEL,
    ),
]


def _pixels(typed: str) -> float | str:
    """Return the number for what was typed; what is no number is left for the setting's own rule."""
    try:
        return float(typed)
    except ValueError:
        return typed


Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help='Device of the language model, as `youtu-gguf doctor` lists them, such as CUDA0; or "cpu". [default: the '
        "first GPU, if any]",
        **_MODEL,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        metavar="ENGINE",
        help='Where the model runs. "native": in this process; "server": in a llama-server for this command; '
        "http://HOST:PORT/v1: in a running server, whose key is in $YOUTU_GGUF_API_KEY. "
        "[default: $YOUTU_GGUF_ENGINE, else native]",
        **_MODEL,
    ),
]
Language = Annotated[
    Lang | None, typer.Option(metavar="en|zh", help="Language of the task's question. [default: en]", **_ANSWER)
]
Drafting = Annotated[
    Draft | None,
    typer.Option(
        metavar="auto|on|off",
        help="Decode tokens that probably come next along with the last one: the same answers, sooner where they "
        "have a structure. [default: auto, on a GPU where it pays]",
        **_MODEL,
    ),
]
CacheFolder = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Store encoded images in this folder; opening one of them again then takes hardly any time.",
        **_MODEL,
    ),
]

Command = Callable[..., None]
"""What typer makes a command of."""


@dataclass(frozen=True)
class FileOptions:
    """The options of every command that runs a model, as one value. A field here is an option there."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help='GGUF file; folder with the pair; "nano", the small model that ships with this package; or '
            "ORG/NAME[:QUANT] on Hugging Face, downloaded if it is not on this machine. [default: $YOUTU_GGUF_MODEL, "
            "else the published model if it was pulled]",
            **_MODEL,
        ),
    ] = None
    mmproj: Mmproj = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no warnings.")] = False
    max_tokens: Annotated[
        int | None, typer.Option(metavar="N", help="Longest answer, in tokens. [default: 12280]", **_ANSWER)
    ] = None
    image_max_tokens: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Most image tokens, of 32x32 pixels each; fewer are faster. [default: 2048]",
            **_MODEL,
        ),
    ] = None
    n_ctx: ContextLength = None
    threads: Threads = None
    n_gpu_layers: GpuLayers = None
    device: Device = None
    mmproj_device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Device of the projector. [default: as the language model]", **_MODEL),
    ] = None
    cuda_graphs: Annotated[
        bool,
        typer.Option("--cuda-graphs", help="Compute with CUDA graphs, which may be wrong (docs/gpu.md).", **_MODEL),
    ] = False
    vision: Annotated[
        str | None,
        typer.Option(
            metavar="TOWER",
            help='What encodes images: "windowed", faster; "mtmd", llama.cpp\'s own; or "auto". [default: auto]',
            **_MODEL,
        ),
    ] = None
    n_slots: Annotated[
        int | None,
        typer.Option(
            "--slots", metavar="N", help="Answers that a server gives at the same time. [default: 4]", **_MODEL
        ),
    ] = None
    repack: Annotated[
        bool,
        typer.Option(
            "--repack", help="Rearrange the weights for this processor: slower to load, may answer faster.", **_MODEL
        ),
    ] = False
    temperature: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="Sampling temperature; 0 is greedy. [default: 0.1]", **_ANSWER),
    ] = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that were given, as keywords of `youtu_gguf.load`."""
        given = {name: getattr(self, name, None) for name in LoadSettings.__annotations__}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class ModelOptions(FileOptions):
    """The options of every command that asks a model."""

    engine: Engine = None
    scores: Annotated[
        bool,
        typer.Option(
            "--scores", help="Score every item from 0 to 1 by the model's confidence (docs/scores.md).", **_ANSWER
        ),
    ] = False
    max_s: Annotated[
        float | None,
        typer.Option(
            "--max-seconds",
            metavar="SECONDS",
            help="Longest time for an answer, from reading the image on. [default: none]",
            **_ANSWER,
        ),
    ] = None
    seed: Annotated[int | None, typer.Option(metavar="N", help="Sampling seed. [default: 0]", **_ANSWER)] = None
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="End the answer before this text; may be given several times. [default: none]",
            **_ANSWER,
        ),
    ] = None
    lang: Language = None
    draft: Drafting = None
    cache_dir: CacheFolder = None

    def loader(self) -> functools.partial[yg.Model]:
        """Return `yg.load` with these options, as another process can call it too."""
        return functools.partial(yg.load, self.model, self.mmproj, self.engine, **self.settings())

    def load(self, progress: ProgressFn) -> yg.Model:
        """Load the model with these options."""
        return self.loader()(progress=progress)


@dataclass(frozen=True)
class TaskOptions(ModelOptions):
    """The options of every task, as one value."""

    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write the result as FILE's suffix says: drawn on the image (.png), as distances (.depth.png, "
            ".ros.png, .kitti.png, .tum.png, .pfm, .exr) or numbers of classes (.index.png), as arrays (.npz), all of "
            "it (.json), the answer's text (.txt), for data sets (.coco.json, .panoptic.zip, .labelme.json, .yolo.zip, "
            ".label_studio.json, .cvat.xml), as a table (.csv), or as points in space (.ply).",
        ),
    ] = None
    npz: Annotated[
        Path | None, typer.Option("--npz", metavar="FILE", help="Write the arrays of the result to an .npz file.")
    ] = None
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False
    strict: Annotated[
        bool, typer.Option("--strict", help="Fail (exit code 5) if the model's answer has a flaw.", **_ANSWER)
    ] = False

    def of_run(self) -> Options:
        """Return the options of a run that are not settings of a model."""
        return {"strict": self.strict}


@dataclass(frozen=True)
class DepthOptions(TaskOptions):
    """The options of tasks that give distances, as one value."""

    camera_px: Annotated[
        str | None,
        typer.Option(
            "--camera-px",
            metavar="N|assumed",
            parser=_pixels,
            help="Focal length in pixels that .ply files and depth images are written with, where the distances need "
            "none; assumed: that of a telephone's camera. [default: from the image's EXIF data]",
        ),
    ] = None


def command(function: Callable[..., None]) -> Command:
    """Make a command of `function`.

    A parameter annotated with `FileOptions` or a subclass becomes one option per field. A `YoutuError` is printed as
    one message on stderr and ends the command with its exit code.
    """
    hints = {} if hasattr(function, "__signature__") else get_type_hints(function, include_extras=True)
    given_signature = inspect.signature(function).parameters.values()
    parameters = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in given_signature]
    bundle = next((p for p in parameters if _is_bundle(p.annotation)), None)

    @functools.wraps(function)
    def run(**given: Any) -> None:
        _run(functools.partial(call, given))

    def call(given: dict[str, Any]) -> None:
        quiet = bool(given.get("quiet"))
        given = {name: _without_tilde(name, value) for name, value in given.items()}
        if bundle is not None:
            given[bundle.name] = bundle.annotation(**{f.name: given.pop(f.name) for f in fields(bundle.annotation)})
        with _notes(not quiet):
            function(**given)

    flat = [p for p in parameters if p is not bundle]
    if bundle is not None:
        flat += option_parameters(bundle.annotation)
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in flat}
    del run.__wrapped__  # inspect would follow it
    return run


@contextmanager
def _notes(wanted: bool) -> Iterator[None]:
    """Let what the package logs reach stderr in a `with` block, or not."""
    for log in (LOG, fonts.LOG):
        log.setLevel(logging.NOTSET if wanted else logging.ERROR)
    try:
        yield
    finally:
        for log in (LOG, fonts.LOG):
            log.setLevel(logging.NOTSET)


def size_of(n_bytes: int) -> str:
    """Return a number of bytes in MB or GB."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 10**8 else f"{n_bytes / 1e6:.1f} MB"


def _without_tilde(name: str, value: Any) -> Any:
    """Return an option's value; of paths the "~" is resolved, which shells leave as it is in --option='~/file'."""
    if isinstance(value, Path):
        return checked_path(name, value)
    return str(checked_path(name, value)) if name == "image" and value.startswith("~") else value


def _is_bundle(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, FileOptions)


@functools.cache
def option_parameters(bundle: type[FileOptions]) -> list[inspect.Parameter]:
    """Return the fields of `bundle` as parameters of a command, those of `ModelOptions` last."""
    hints = get_type_hints(bundle, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    shared = {f.name for f in fields(ModelOptions)}
    ordered = sorted(fields(bundle), key=lambda f: f.name in shared)
    assert all(f.default is not MISSING for f in ordered)
    return [inspect.Parameter(f.name, kind, default=f.default, annotation=hints[f.name]) for f in ordered]


def _run(function: Callable[[], None]) -> None:
    try:
        with raising():
            function()
            if sys.stdout is not None:  # closed by `>&-`
                sys.stdout.flush()
    except YoutuError as exc:
        print(f"error: {exc}", file=sys.stderr)
        raise typer.Exit(exc.exit_code) from exc
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output has gone
        _drop_output()
        raise typer.Exit from None
    except OSError as exc:
        if exc.errno in DISK_FULL:
            _drop_output()
            print(f"error: expected to write the output; got: {exc.strerror}. Free some disk space.", file=sys.stderr)
            raise typer.Exit(OutputError.exit_code) from exc
        # of a file or folder that no one has checked before
        print(f"error: the system refuses: {exc}. Check that path and its permissions.", file=sys.stderr)
        raise typer.Exit(EngineError.exit_code) from exc


def _drop_output() -> None:
    """Give up what standard output still holds: without this, Python would report it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
