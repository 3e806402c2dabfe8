"""What a run on a cluster did: images, errors and time, for every machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from youtu_gguf.batch.run import NAMED
from youtu_gguf.cluster.actor import Summary


@dataclass
class NodeReport:
    """What a machine did.

    Attributes:
        images: Images done.
        broken: Of these, those with errors.
        busy_s: Seconds that its actors were at work, all together.
        redone: Shards that had been begun before, by an actor that died.
    """

    images: int = 0
    broken: int = 0
    busy_s: float = 0.0
    redone: int = 0


@dataclass
class Report:
    """Images of one run, as `Tally` counts them, and the machines that did them.

    Attributes:
        total: Images that were named.
        done: Done in this run.
        skipped: Finished by an earlier run.
        broken: Of both, those with errors.
        named: The first of these.
        seconds: How long the run took.
        nodes: What each machine did, by its name.
    """

    total: int = 0
    done: int = 0
    skipped: int = 0
    broken: int = 0
    named: list[str] = field(default_factory=list)
    seconds: float = 0.0
    nodes: dict[str, NodeReport] = field(default_factory=dict)

    def count(self, summary: Summary) -> None:
        """Count a shard that is finished."""
        self.done += summary.n_images
        self.broken += len(summary.broken)
        self.named += [name for name, _ in summary.broken][: NAMED - len(self.named)]
        node = self.nodes.setdefault(summary.node, NodeReport())
        node.images += summary.n_images
        node.broken += len(summary.broken)
        node.busy_s += summary.busy_s
        node.redone += summary.attempt > 1
