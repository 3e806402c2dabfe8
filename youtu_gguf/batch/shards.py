"""A batch in shards: images that are done together and whose results are written together, whoever does them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from youtu_gguf.batch.image import name_of
from youtu_gguf.batch.parts import Index
from youtu_gguf.batch.sources import Item

SHARD_SIZE = 64
"""Images in a shard."""


@dataclass(frozen=True)
class Shard:
    """Images that are done together, and whose results are in parts that are named after the shard.

    Attributes:
        name: Of the shard.
        items: The images.
        lost: How often images of these were in progress when an earlier run was killed; see `attempts`.
    """

    name: str
    items: tuple[Item, ...] = field(repr=False)
    lost: Mapping[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Pending:
    """What a run has to do, and what earlier runs have done.

    Attributes:
        items: Images that are to be done.
        n_finished: Other images that were asked for.
        broken: Of these, the names of those with errors.
    """

    items: Sequence[Item] = field(repr=False)
    n_finished: int
    broken: Sequence[str] = field(repr=False)


def pending(items: Sequence[Item], index: Index, *, retry: bool = False) -> Pending:
    """Compare the images of a run with those that are finished.

    An image is done again if its file has changed, or could not be read, and with `retry` if it has errors.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pa.array([name_of(item.name) for item in items], pa.string())
    places = pc.index_in(names, index.table["image"].combine_chunks())
    found = index.table.select(["etag", "n_errors"]).take(places)
    is_same = pc.equal(found["etag"], pa.array([item.etag for item in items], pa.string()))
    has_errors = pc.greater(found["n_errors"], 0)
    is_finished = pc.and_(is_same, pc.invert(has_errors)) if retry else is_same
    finished = pc.fill_null(is_finished, fill_value=False)
    broken = names.filter(pc.and_(finished, has_errors).combine_chunks())
    to_do = [item for item, done in zip(items, finished.to_pylist(), strict=True) if not done]
    return Pending(to_do, len(items) - len(to_do), broken.to_pylist())


def cut(items: Sequence[Item], size: int, run: str, lost: Mapping[str, int] | None = None) -> Iterator[Shard]:
    """Cut images into the shards of a run, in their order.

    Args:
        items: The images.
        size: The most images in a shard.
        run: The name of the run, with which those of its shards begin.
        lost: What `attempts.take_over` has returned.
    """
    for start in range(0, len(items), size):
        some = tuple(items[start : start + size])
        counts = (
            {name: lost[name] for name in map(name_of, (item.name for item in some)) if name in lost} if lost else {}
        )
        yield Shard(f"{run}-{start // size:06}", some, counts)
