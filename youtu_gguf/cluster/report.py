"""What a run on a cluster did: images, errors and time, for every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from youtu_gguf.batch.run import NAMED
from youtu_gguf.cluster.actor import Summary
from youtu_gguf.cluster.counts import Counted


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
        stage: What goes on before the first image is done.
        begun: Whether actors have got images to do.
    """

    total: int = 0
    done: int = 0
    skipped: int = 0
    broken: int = 0
    named: list[str] = field(default_factory=list)
    seconds: float = 0.0
    nodes: dict[str, NodeReport] = field(default_factory=dict)

    stage: str = ""
    begun: bool = False
    _broken_earlier: int = field(default=0, repr=False)
    _in_progress: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)
    _ended: set[str] = field(default_factory=set, repr=False)

    @property
    def seen(self) -> int:
        """Images done in this run, those of shards that are not finished too."""
        return self.done + sum(done for done, _ in self._in_progress.values())

    @property
    def broken_now(self) -> int:
        """Images with errors in this run, those of shards that are not finished too."""
        return self.broken - self._broken_earlier + sum(broken for _, broken in self._in_progress.values())

    def begin(self, total: int, broken: Sequence[str], skipped: int) -> None:
        """Note the images that were named, those that an earlier run finished, and those of them with errors."""
        self.total, self.skipped = total, skipped
        self.broken = self._broken_earlier = len(broken)
        self.named = [*broken[:NAMED]]

    def count(self, summary: Summary) -> None:
        """Count a shard that is finished."""
        self._ended.add(summary.shard)
        self._in_progress.pop(summary.shard, None)
        self.done += summary.n_images
        self.broken += len(summary.broken)
        self.named += [name for name, _ in summary.broken][: NAMED - len(self.named)]
        node = self.nodes.setdefault(summary.node, NodeReport())
        node.images += summary.n_images
        node.broken += len(summary.broken)
        node.busy_s += summary.busy_s
        node.redone += summary.attempt > 1

    def follow(self, counted: Counted) -> None:
        """Note how far shards are that are not finished."""
        self._in_progress |= {shard: counts for shard, counts in counted.items() if shard not in self._ended}
