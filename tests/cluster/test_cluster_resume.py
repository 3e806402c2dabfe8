"""What a second run does: nothing, or what has changed since; and what a second driver may not do."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.soak._cluster_batch import Command, differences, n_seen, stored, written
from scripts.soak._ray_nodes import RayNodes, wait_until

N = 12
TASKS = ("detect circle square", "count object")


@pytest.fixture
def command(nodes: RayNodes, images: Path) -> Command:
    """A batch whose images make one shard, with a picture in it that crashes and one that is broken."""
    return Command(str(images), str(images.parent / "out"), nodes.env, actors="1", shard_size=N, tasks=TASKS)


def test_only_what_changed_is_done_again(command: Command, seen: Path, images: Path) -> None:
    first = command.run()
    before = stored(command.out)
    assert (first.returncode, len(before.lines), len(before.broken)) == (1, N, 2), first.stderr
    n_first = n_seen(seen)

    again = command.run()
    assert (again.returncode, n_seen(seen)) == (0, n_first), again.stderr
    assert "0 now" in again.stdout
    assert stored(command.out) == before

    Image.fromarray(draw(TEST_SEEDS + 77).rgb).save(images / "0000a.png")
    Image.fromarray(draw(TEST_SEEDS + 78).rgb).save(images / "0002.png")
    (images / "0003.png").unlink()
    third = command.run()
    assert third.returncode == 1, third.stderr  # this run did images, and two of the listed ones have errors
    after = stored(command.out)
    assert n_seen(seen) == n_first + 2
    assert after.lines.keys() - before.lines.keys() == {str(images / "0000a.png")}
    changed = {name for name in before.lines if after.lines[name] != before.lines[name]}
    assert changed == {str(images / "0002.png")}

    assert command.alone(images.parent / "alone").returncode == 1
    listed = written(images.parent / "alone")
    assert {*after.lines} - {*listed.lines} == {str(images / "0003.png")}
    assert not differences(listed, type(after)({n: after.lines[n] for n in listed.lines}, after.files, after.rows))


def test_of_two_drivers_one_wins_and_nothing_is_lost(command: Command, seen: Path) -> None:
    winner = command.start()
    wait_until(lambda: winner.poll() is not None or n_seen(seen), "the first picture")
    assert winner.poll() is None, winner.communicate()
    loser = command.run()
    assert loser.returncode not in (0, 1)
    assert str(winner.pid) in loser.stderr
    assert winner.wait(120) == 1, winner.communicate()
    winner.communicate()
    got = stored(command.out)
    assert (len(got.lines), {*got.rows.values()}, len(got.broken)) == (N, {1}, 2)
    assert not [*Path(command.out, "drivers").glob("*")]
    assert not [*Path(command.out, "attempts").glob("*")]
