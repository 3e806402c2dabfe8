"""What the driver of a run does on a real Ray: a pool that does not fit, a Ray of its own, and an end in order."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.soak._cluster_batch import GONE_S, Command, make_images, n_seen, stored
from scripts.soak._ray_nodes import RayNodes, processes_with, wait_until


@pytest.fixture
def command(nodes: RayNodes, tmp_path: Path) -> Command:
    make_images(tmp_path / "images", 6)
    return Command(
        str(tmp_path / "images"), str(tmp_path / "out"), nodes.env, shard_size=1, tasks=("detect circle",), actors="2"
    )


def test_a_pool_that_takes_every_processor_is_refused_with_the_number_that_works(command: Command, seen: Path) -> None:
    refused = replace(command, actors="3").run()
    assert (refused.returncode, n_seen(seen)) == (2, 0)
    assert "would take every CPU" in refused.stderr
    assert "Use --actors 2." in refused.stderr
    done = command.run()
    assert (done.returncode, len(stored(command.out).lines)) == (0, 6), done.stderr
    assert done.stderr == ""


def test_a_ray_of_our_own_heeds_no_other_and_leaves_no_token(command: Command, seen: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    elsewhere = {"RAY_ADDRESS": "127.0.0.1:1", "HOME": str(home), "OWN_RAY": str(tmp_path)}
    local = replace(command, env={**command.env, **elsewhere}, cluster="local", actors="1")
    done = local.run()
    assert (done.returncode, done.stderr) == (0, "")
    assert len(stored(command.out).lines) == 6
    assert not (home / ".ray").exists()
    wait_until(lambda: not [*processes_with("OWN_RAY", str(tmp_path))], "the end of the driver's Ray", GONE_S)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_order_and_the_next_resumes(
    command: Command, seen: Path, number: signal.Signals, code: int
) -> None:
    driver = command.start()
    wait_until(lambda: driver.poll() is not None or n_seen(seen) > 1, "the second picture")
    driver.send_signal(number)
    out, err = driver.communicate(timeout=30)
    assert driver.returncode == code, err
    assert "Run the same command again to resume." in err
    assert "of 6 images finished" in out
    assert not [*Path(command.out, "drivers").glob("*.json")]
    assert not [*Path(command.out, "attempts").glob("*")]
    again = command.run()
    assert (again.returncode, len(stored(command.out).lines)) == (0, 6), again.stderr
