"""How `plan --cluster` shows what the machines of a cluster have room for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from youtu_gguf.cli.cluster import ray_silenced
from youtu_gguf.cli.common import size_of
from youtu_gguf.errors import EngineError

if TYPE_CHECKING:
    from youtu_gguf.cluster.machines import Machine
    from youtu_gguf.cluster.planning import ClusterPlan
    from youtu_gguf.cluster.pool import Pool
    from youtu_gguf.config import LoadSettings

HEADING = ("machine", "CPUs", "memory free", "GPUs, free", "actors", "limited by")


def plan_there(
    pool: Pool,
    gpus_per_actor: float | None,
    model: str | None,
    mmproj: str | None,
    encoding: str | None,
    settings: LoadSettings,
    *,
    as_json: bool,
) -> None:
    """Print a plan for a cluster.

    Raises:
        EngineError: It has no room for the actors.
        YoutuError: The cluster or the model cannot be used.
    """
    from youtu_gguf.cluster.planning import plan

    with ray_silenced():
        found = plan(pool, model, mmproj, encoding, gpus_per_actor=gpus_per_actor, **settings)
    if as_json:
        fits = [asdict(found.fit(machine)) for machine in found.machines]
        print(json.dumps(asdict(found) | {"fits": fits, "options": _options(pool, found)}, indent=2))
    else:
        for line in _lines(pool, found):
            print(line)
    if found.size is None:
        raise EngineError(found.refusal)


def _lines(pool: Pool, found: ClusterPlan) -> Iterator[str]:
    needs = found.needs
    yield found.model
    yield f"  {size_of(needs.shared):>10}  the files, once on a machine"
    yield f"  {size_of(needs.private):>10}  more for each actor"
    if any(machine.devices for machine in found.machines):
        yield f"  {size_of(needs.gpu):>10}  on a GPU, for each actor"
    yield ""
    rows = [HEADING, *(_row(found, machine) for machine in found.machines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
    yield ""
    if found.size is not None:
        if sum(found.fit(machine).actors for machine in found.machines) > found.size.most:
            yield "Ray needs a CPU for itself, so that there is one actor less."
        yield " ".join(["youtu-gguf batch IMAGES -t TASK -o FOLDER", *_options(pool, found)])


def _row(found: ClusterPlan, machine: Machine) -> Sequence[str]:
    fit = found.fit(machine)
    cpus = f"{min(machine.cores, machine.cpus):g}"
    if machine.cores < machine.cpus and machine.id:
        cpus += f" (Ray counts {machine.cpus:g})"
    devices = ", ".join(f"{device.name} {size_of(device.free)}" for device in machine.devices)
    gpus = devices or (f"none (Ray counts {machine.gpus:g})" if machine.gpus else "none")
    limit = machine.problem or (fit.limit if fit.actors else f"{fit.limit}: not one fits")
    return machine.name, cpus, f"{size_of(machine.free)} of {size_of(machine.total)}", gpus, str(fit.actors), limit


def _options(pool: Pool, found: ClusterPlan) -> list[str]:
    """Return the options of `batch` for the actors of a plan."""
    size = found.size
    if size is None:
        return []
    actors = str(size.least) if size.least == size.most else f"{size.least}:{size.most}"
    gpus = ["--gpus-per-actor", f"{size.gpus:g}"] if size.gpus else []
    return ["--cluster", pool.cluster, "--actors", actors, "--cpus-per-actor", str(size.cpus), *gpus]
