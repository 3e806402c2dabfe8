"""What all commands share: the options of a task, and how an error becomes a message and an exit code."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

import youtu_gguf as yg
from youtu_gguf.errors import YoutuError
from youtu_gguf.scene.options import Options
from youtu_gguf.types import ProgressFn

Image = Annotated[str, typer.Argument(metavar="IMAGE", help="Picture to look at.")]

AsJson = Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]

Lang = Literal["en", "zh"]

Command = Callable[..., None]
"""What typer makes a command of."""

_INTERRUPTED = 130  # the shell's code for Ctrl-C


SETTINGS = (
    "max_tokens", "max_s", "image_max_tokens", "n_ctx", "threads", "n_gpu_layers", "n_slots", "repack",
    "temperature", "seed", "scores", "lang", "cache_dir", "server_flags", "server_log", "start_s",
)  # fmt: skip
"""Options that are settings of `youtu_gguf.load` by the same name."""


@dataclass(frozen=True)
class FileOptions:
    """The options of every command that runs a model's files, as one value. A field here is an option there."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help='GGUF file, a folder with the pair, "nano" for the small model that ships, or ORG/NAME[:QUANT] on '
            "Hugging Face, pulled if it is not here. [default: $YOUTU_GGUF_MODEL, else the published model if pulled]",
        ),
    ] = None
    mmproj: Annotated[str | None, typer.Option(help="Projector GGUF. [default: the one beside the model]")] = None
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no warnings on stderr.")] = False
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens of an answer. [default: 12280]")] = None
    image_max_tokens: Annotated[
        int | None, typer.Option(help="Most image tokens, 32x32 px each; fewer is faster. [default: 2048]")
    ] = None
    n_ctx: Annotated[
        int | None, typer.Option("--n-ctx", help="Positions of context. [default: 16384, or the model's own]")
    ] = None
    threads: Annotated[int | None, typer.Option(help="CPU threads. [default: all cores]")] = None
    n_gpu_layers: Annotated[int | None, typer.Option("--gpu-layers", help="Layers on the GPU. [default: all]")] = None
    n_slots: Annotated[
        int | None, typer.Option("--slots", help="Answers that a server gives at a time. [default: 4]")
    ] = None
    repack: Annotated[
        bool, typer.Option("--repack", help="Rearrange weights for this processor: slower to load; may answer faster.")
    ] = False
    temperature: Annotated[float | None, typer.Option(help="Sampling temperature, 0 = greedy. [default: 0.1]")] = None

    def settings(self) -> dict[str, Any]:
        """Return the settings that were given, by the names `youtu_gguf.load` knows them by."""
        given = {name: getattr(self, name, None) for name in SETTINGS}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class ModelOptions(FileOptions):
    """The options of every command that asks a model."""

    engine: Annotated[
        str | None,
        typer.Option(
            help="native, in this process; server, a llama-server for this command; or the address of one that runs, "
            "http://HOST:PORT/v1, whose key is in $YOUTU_GGUF_API_KEY. [default: $YOUTU_GGUF_ENGINE, else native]"
        ),
    ] = None
    scores: Annotated[
        bool, typer.Option("--scores", help="Give every item the confidence of its tokens, 0 to 1 (docs/scores.md).")
    ] = False
    max_s: Annotated[
        float | None, typer.Option("--max-seconds", help="Longest time for an answer. [default: none]")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Sampling seed. [default: 0]")] = None
    lang: Annotated[Lang | None, typer.Option(help="Language that questions are put in. [default: en]")] = None
    cache_dir: Annotated[
        Path | None,
        typer.Option(help="Keep what was seen of images in this folder: opening one again is then nearly free."),
    ] = None

    def load(self, progress: ProgressFn) -> yg.Model:
        """Load the model as chosen."""
        return yg.load(self.model, self.mmproj, self.engine, progress, **self.settings())


@dataclass(frozen=True)
class TaskOptions(ModelOptions):
    """The options that every task has, as one value."""

    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the result as a picture (.png), or a text as .txt.")
    ] = None
    npz: Annotated[Path | None, typer.Option("--npz", help="Write the result's arrays to this .npz file.")] = None
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False
    strict: Annotated[bool, typer.Option("--strict", help="Fail (exit 5) at any flaw in the model's answer.")] = False

    def of_run(self) -> Options:
        """Return the options of one run that a model does not have as settings."""
        return {"strict": self.strict}


def command(function: Callable[..., None]) -> Command:
    """Make a command of `function`.

    A parameter annotated `FileOptions`, or a kind of it, becomes one option per field. Errors of ours are printed as
    one message on stderr and end the command with their exit code.
    """
    hints = {} if hasattr(function, "__signature__") else get_type_hints(function, include_extras=True)
    given_signature = inspect.signature(function).parameters.values()
    parameters = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in given_signature]
    bundle = next((p for p in parameters if _is_bundle(p.annotation)), None)

    @functools.wraps(function)
    def run(**given: Any) -> None:
        if bundle is not None:
            given[bundle.name] = bundle.annotation(**{f.name: given.pop(f.name) for f in fields(bundle.annotation)})
        _run(functools.partial(function, **given))

    flat = [p for p in parameters if p is not bundle]
    if bundle is not None:
        flat += option_parameters(bundle.annotation)
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in flat}
    del run.__wrapped__  # inspect would look through it
    return run


def size_of(n_bytes: int) -> str:
    """Return a number of bytes as people read it."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 10**8 else f"{n_bytes / 1e6:.1f} MB"


def _is_bundle(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, FileOptions)


def option_parameters(bundle: type[ModelOptions]) -> list[inspect.Parameter]:
    """Return the options of `bundle`, those of the model last."""
    hints = get_type_hints(bundle, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    shared = {f.name for f in fields(ModelOptions)}
    ordered = sorted(fields(bundle), key=lambda f: f.name in shared)
    assert all(f.default is not MISSING for f in ordered)
    return [inspect.Parameter(f.name, kind, default=f.default, annotation=hints[f.name]) for f in ordered]


def _run(function: Callable[[], None]) -> None:
    try:
        function()
        sys.stdout.flush()
    except YoutuError as exc:
        print(f"error: {exc}", file=sys.stderr)
        raise typer.Exit(exc.exit_code) from exc
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output has left; Python would complain while flushing at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None
