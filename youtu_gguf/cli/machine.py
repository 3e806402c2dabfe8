"""The commands about this machine: whether a model fits, and whether everything works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

import youtu_gguf as yg
from youtu_gguf.cli.cluster import Actors, ClusterName, CpusPerActor, GpusPerActor, pool_of, refuse_without_cluster
from youtu_gguf.cli.common import AsJson, ContextLength, Device, Mmproj, ModelName, size_of
from youtu_gguf.cli.help import MODEL
from youtu_gguf.cli.nodes import plan_there
from youtu_gguf.config import LoadSettings
from youtu_gguf.errors import EngineError, InputError, ModelFileError


def plan(
    named: Annotated[str | None, typer.Argument(metavar="MODEL", help="Same as --model.")] = None,
    model: ModelName = None,
    mmproj: Mmproj = None,
    encoding: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help="Plan for this encoding instead, such as Q4_K_M.")
    ] = None,
    n_ctx: ContextLength = None,
    image_max_tokens: Annotated[
        int, typer.Option(metavar="N", rich_help_panel=MODEL, help="Most image tokens.")
    ] = 2048,
    device: Device = None,
    as_json: AsJson = False,
    cluster: ClusterName = None,
    actors: Actors = None,
    cpus_per_actor: CpusPerActor = None,
    gpus_per_actor: GpusPerActor = None,
) -> None:
    """Estimate the memory a model needs.

    Compares it with the free memory of this machine, and recommends settings that fit. The model need not be
    downloaded. The exit code is 4 if it does not fit with the given settings.

    With --cluster it asks every machine of a cluster, and says how many actors of a batch each has room for, what
    limits them, and which options to give to batch.
    """
    if named is not None and model is not None:
        raise InputError(f"expected one model; got {named!r} and --model {model!r}. Remove one.")
    pool = {"actors": actors, "cpus_per_actor": cpus_per_actor, "gpus_per_actor": gpus_per_actor}
    if cluster is not None:
        if device is not None:
            raise InputError(
                f"expected no device for a cluster, whose actors have GPUs by --gpus-per-actor; got {device!r}."
            )
        limits: LoadSettings = {"n_ctx": n_ctx, "image_max_tokens": image_max_tokens}
        chosen = pool_of(cluster, {**pool, "gpus_per_actor": None})
        plan_there(chosen, gpus_per_actor, model or named, mmproj, encoding, limits, as_json=as_json)
        return
    refuse_without_cluster((), pool)
    found = yg.weights.plan(
        model or named, mmproj, encoding, n_ctx=n_ctx, image_max_tokens=image_max_tokens, device=device
    )
    if as_json:
        setups = {"wanted": found.wanted, "recommended": found.recommended}
        totals = {name: setup and setup.memory.total for name, setup in setups.items()}
        print(json.dumps(asdict(found) | {"fits": found.fits, "totals": totals}, indent=2, default=str))
    else:
        for line in _lines(found):
            print(line)
    if not found.fits:
        raise EngineError(
            f"this model needs {size_of(found.wanted.memory.total)}; {size_of(found.free)} are free.{_remedy(found)}"
        )


def doctor(
    model: ModelName = None,
    mmproj: Mmproj = None,
    hashes: Annotated[
        bool, typer.Option("--hashes", help="Compare the hashes of pulled files; takes seconds per GB.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check that everything works on this machine.

    Checks versions, llama.cpp, hidden states, devices, memory and model files, and says how to repair what is broken.
    The exit code is 3 if model files are broken, and 4 if anything else is.
    """
    found = []
    for check in yg.doctor.diagnose(model, mmproj, hashes=hashes):
        found.append(check)
        if not as_json:
            print(f"{_MARKS[check.state]:7}{check.name:14}{check.found}", flush=True)
            if check.remedy:
                print(f"{'':21}-> {check.remedy}", flush=True)
    if as_json:
        print(json.dumps([asdict(check) for check in found], indent=2, ensure_ascii=False))
    broken = {check.name for check in found if check.state == "broken"}
    if broken:
        raise typer.Exit(ModelFileError.exit_code if broken <= {"model files", "tokens"} else EngineError.exit_code)


_MARKS = {"ok": "ok", "note": "note", "broken": "BROKEN"}


def _lines(found: yg.weights.Plan) -> Iterator[str]:
    wanted = found.wanted
    yield f"{found.name}{_SOURCES[found.sizes_from]}"
    yield _described(wanted)
    yield ""
    for name, n_bytes in asdict(wanted.memory).items():
        yield f"  {name:10}{size_of(n_bytes):>10}  {_PARTS[name]}"
    total = size_of(wanted.memory.total)
    yield f"  {'in all':10}{total:>10}  of {size_of(found.free)} free, {size_of(found.total)} installed"
    yield ""
    for gpu in found.gpus:
        yield f"{gpu.name} ({gpu.description}): {size_of(gpu.free)} of {size_of(gpu.total)} free"
    if found.gpus:
        yield f"  with all layers on a GPU it takes {size_of(found.gpu_memory)} there; where it runs: {found.placement}"
    yield "It fits." if found.fits else f"It does not fit.{_remedy(found)}"


_SOURCES = {
    "disk": "",
    "hub": " (not downloaded; sizes as the hub lists them)",
    "documentation": " (not downloaded; the hub could not be asked, sizes as documented)",
}
_PARTS = {
    "weights": "language model",
    "projector": "vision tower",
    "context": "keys and values",
    "compute": "buffers of the language model",
    "vision": "buffers of the vision tower, for the largest image",
    "images": "encoded images (cache_bytes)",
    "process": "Python and libraries",
}


def _described(setup: yg.weights.Setup) -> str:
    slim = ", slim" if setup.slim else ""
    return f"{setup.encoding}{slim}, context of {setup.n_ctx:,}, images of up to {setup.image_max_tokens:,} tokens"


def _remedy(found: yg.weights.Plan) -> str:
    best = found.recommended
    if best is None:
        return " Nothing smaller fits either: free some memory, or use another machine."
    steps = []
    if best.slim and not found.wanted.slim:
        steps.append("`youtu-gguf slim`")
    if best.encoding != found.wanted.encoding:
        steps.append(f"`youtu-gguf quantize ... {best.encoding}`")
    if best.n_ctx != found.wanted.n_ctx or best.image_max_tokens != found.wanted.image_max_tokens:
        steps.append(f"`--n-ctx {best.n_ctx} --image-max-tokens {best.image_max_tokens}`")
    return f" This fits, with {size_of(best.memory.total)}: {_described(best)}. To get there: {', then '.join(steps)}."
