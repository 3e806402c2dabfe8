"""What may die during a batch on a cluster: an image's process, actors, machines, the driver. Nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from scripts.nano.scenes import TEST_SEEDS, draw
from scripts.soak._cluster_batch import (
    GONE_S,
    Command,
    differences,
    make_images,
    n_seen,
    seconds_until_gone,
    stored,
    written,
)
from scripts.soak._faults import WITH_ACTOR, marked
from scripts.soak._ray_nodes import RayNodes, processes_with, wait_until
from scripts.soak.cluster_kill import killed

TASKS = ("detect circle square", "depth")
N, SHARD_SIZE = 24, 3


def test_a_batch_survives_a_picture_a_child_an_actor_a_node_and_its_driver(
    nodes: RayNodes, seen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(tmp_path / "images", N, crash=20, broken=17)
    command = Command(
        str(tmp_path / "images"), str(tmp_path / "out"), nodes.env, shard_size=SHARD_SIZE, tasks=TASKS, formats="npz"
    )
    assert [*killed(command, nodes, seen, N, print)] == []
    got = stored(command.out)
    assert (len(got.lines), {*got.rows.values()}, len(got.broken)) == (N, {1}, 2), got.broken
    assert command.alone(tmp_path / "alone").returncode == 1
    assert differences(written(tmp_path / "alone"), got) == []


def test_a_picture_that_kills_actors_costs_its_own_line_only(nodes: RayNodes, seen: Path, tmp_path: Path) -> None:
    make_images(tmp_path / "images", 6)
    deadly = tmp_path / "images" / "0002.png"
    Image.fromarray(marked(draw(TEST_SEEDS).rgb, WITH_ACTOR)).save(deadly)
    command = Command(str(tmp_path / "images"), str(tmp_path / "out"), nodes.env, tasks=TASKS[:1], actors="1")
    ended = command.run()
    got = stored(command.out)
    assert (ended.returncode, len(got.lines), [*got.broken]) == (1, 6, [str(deadly)]), ended.stderr
    assert n_seen(seen) <= 3 * 6


def test_a_killed_driver_takes_a_ray_of_its_own_along(nodes: RayNodes, seen: Path, tmp_path: Path) -> None:
    make_images(tmp_path / "images", 4)
    env = {name: value for name, value in nodes.env.items() if name not in ("RAY_ADDRESS",)} | {
        "OWN_RAY": str(tmp_path)
    }
    command = Command(
        str(tmp_path / "images"), str(tmp_path / "out"), env, tasks=TASKS[:1], actors="1", cluster="local"
    )
    driver = command.start()
    wait_until(lambda: driver.poll() is not None or n_seen(seen), "the first picture")
    assert driver.poll() is None, driver.communicate()
    driver.kill()
    driver.communicate()
    wait_until(lambda: not [*processes_with("OWN_RAY", str(tmp_path))], "the end of the driver's Ray", GONE_S)
    seconds_until_gone(nodes)
