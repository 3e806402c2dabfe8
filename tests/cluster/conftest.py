"""One Ray for all tests of this folder: three nodes with a processor each, in processes that are not pytest's.

Ray's start takes processor time, so these tests go to one worker (see tests/conftest.py). A test that kills a node adds
another one. Workers do not survive some pictures: see scripts/soak/_faults.py.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from scripts.soak._cluster_batch import left_of_runs, make_images
from scripts.soak._faults import DEADLY, SEEN, faulty_environment
from scripts.soak._ray_nodes import RayNodes
from tests.object_store import object_store

FOLDER = Path(__file__).parent
PAUSE_S = 0.25
"""How much longer each picture takes: actors of Ray start slowly, beside what nano takes for a picture."""

N_IMAGES, N_CRASH, N_BROKEN = 12, 5, 8


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let Ray use what it has deprecated itself, and be collected with files that it leaves open."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"))
            item.add_marker(pytest.mark.filterwarnings("ignore::FutureWarning:ray"))


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    """An address in an object store on this machine, which the nodes know too."""
    with object_store() as address:
        yield address


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """The folder for temporary files of everything on the nodes; it must be empty after each test."""
    folder = Path(tempfile.mkdtemp(prefix="youtu-gguf-cluster-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def nodes(bucket: str, scratch: Path) -> Iterator[RayNodes]:
    """Three nodes. Nothing of them is left at the end."""
    env = {**faulty_environment(DEADLY, scratch / "seen", PAUSE_S), "TMPDIR": str(scratch)}
    with RayNodes((1, 1, 1), env) as running:
        yield running
    left = running.processes()
    assert left == []


@pytest.fixture
def seen(scratch: Path) -> Iterator[Path]:
    """The file that pictures are noted in before they are looked at: see `faulty_environment`."""
    file = scratch / "seen"
    file.unlink(missing_ok=True)
    yield file
    file.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def connected(nodes: RayNodes) -> Iterator[RayNodes]:
    """The nodes, with this process connected to them as a driver."""
    with warnings.catch_warnings(), here(nodes):
        warnings.simplefilter("ignore")
        import ray
        import ray.data

        ray.init(address=nodes.address, log_to_driver=False, logging_level="error")
        yield nodes
        ray.shutdown()


@contextmanager
def here(nodes: RayNodes) -> Iterator[None]:
    """Give this process what of the nodes' environment tells drivers where they are."""
    with patch.dict(os.environ, {name: nodes.env[name] for name in ("RAY_ADDRESS", "RAY_USAGE_STATS_ENABLED", SEEN)}):
        yield


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check after each test that uses the nodes that nothing of a run is left on them."""
    yield
    if "nodes" in request.fixturenames:
        from scripts.soak._cluster_batch import GONE_S
        from scripts.soak._ray_nodes import wait_until

        running: RayNodes = request.getfixturevalue("nodes")
        wait_until(lambda: not left_of_runs(running), "the end of actors and their children", GONE_S)
        left = [path.name for path in request.getfixturevalue("scratch").iterdir() if path.name != "seen"]
        assert left == []


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder with pictures, of which one cannot be read and llama.cpp does not survive one."""
    make_images(tmp_path / "images", N_IMAGES, crash=N_CRASH, broken=N_BROKEN)
    return tmp_path / "images"
