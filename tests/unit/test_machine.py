"""Memory and processors within the limits of control groups, read from made-up trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from youtu_gguf.machine import UsableMemory, cores_within, free_disk, memory_within, usable_cores, usable_memory

GB = 10**9
SYSTEM = UsableMemory(free=5 * GB, total=9 * GB)
V1_UNLIMITED = str((1 << 63) - 4096)

V2 = {"proc/self/cgroup": "0::/"}
V1 = {"proc/self/cgroup": "4:memory:/\n2:cpu,cpuacct:/\n0::/"}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


def group(path: str, **values: str) -> dict[str, str]:
    """Files of a group below the mounted folder; `memory__max` stands for `memory.max`."""
    return {f"sys/fs/cgroup/{path}{name.replace('__', '.')}": value for name, value in values.items()}


def v2(path: str, limit: str, used: int, high: str = "max", droppable: int = 0, read_often: int = 0) -> dict[str, str]:
    stat = f"anon 5\ninactive_file {droppable}\nactive_file {read_often}"
    return group(path, memory__max=limit, memory__high=high, memory__current=str(used), memory__stat=stat)


def v1(path: str, limit: str, used: int, droppable: int = 0, outer: str = V1_UNLIMITED) -> dict[str, str]:
    names = {"memory__limit_in_bytes": limit, "memory__usage_in_bytes": str(used)}
    stat = f"inactive_file 3\nhierarchical_memory_limit {outer}\ntotal_inactive_file {droppable}\ntotal_active_file 0"
    return group(f"memory/{path}", **names, memory__stat=stat)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, SYSTEM, id="no control groups, as on macOS and Windows"),
        pytest.param(V2, SYSTEM, id="the root group has no limits"),
        pytest.param(v2("", str(4 * GB), GB), (3 * GB, 4 * GB), id="version 2 without proc"),
        pytest.param(V2 | v2("", str(4 * GB), GB), (3 * GB, 4 * GB), id="version 2"),
        pytest.param(V2 | v2("", "max", GB), SYSTEM, id="version 2, unlimited"),
        pytest.param(V2 | v2("", "max", GB, high=str(2 * GB)), (GB, 2 * GB), id="memory.high"),
        pytest.param(V2 | v2("", str(4 * GB), GB, high=str(2 * GB)), (GB, 2 * GB), id="the lower of max and high"),
        pytest.param(V2 | v2("", str(4 * GB), 3 * GB, droppable=2 * GB), (3 * GB, 4 * GB), id="files in the cache"),
        pytest.param(
            V2 | v2("", str(4 * GB), 3 * GB, droppable=GB, read_often=GB), (3 * GB, 4 * GB), id="files read often"
        ),
        pytest.param(V2 | v2("", str(4 * GB), 5 * GB), (0, 4 * GB), id="more in use than allowed"),
        pytest.param(V2 | v2("", str(1 << 62), GB), SYSTEM, id="a limit above the machine's memory"),
        pytest.param(V2 | v2("", str(8 * GB), GB), (5 * GB, 8 * GB), id="other processes use the machine too"),
        pytest.param(
            {"proc/self/cgroup": "0::/pod/box"} | v2("pod/box/", "max", GB) | v2("pod/", str(3 * GB), 2 * GB),
            (GB, 3 * GB),
            id="the limit of an outer group",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/pod/box"}
            | v2("pod/box/", str(2 * GB), GB // 2)
            | v2("pod/", str(3 * GB), 2 * GB),
            (GB, 2 * GB),
            id="an outer group that is fuller than the inner",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/docker/abc"} | v2("", str(4 * GB), GB),
            (3 * GB, 4 * GB),
            id="mounted without path",
        ),
        pytest.param({"proc/self/cgroup": "0::/../../abc"} | v2("", str(4 * GB), GB), (3 * GB, 4 * GB), id="outside"),
        pytest.param(V1 | v1("", str(4 * GB), GB), (3 * GB, 4 * GB), id="version 1"),
        pytest.param(V1 | v1("", V1_UNLIMITED, GB), SYSTEM, id="version 1, unlimited"),
        pytest.param(V1 | v1("", str(4 * GB), 3 * GB, droppable=GB), (2 * GB, 4 * GB), id="version 1, files"),
        pytest.param(
            {"proc/self/cgroup": "4:memory:/a/b\n0::/"} | v1("a/b/", V1_UNLIMITED, GB) | v1("a/", str(2 * GB), GB),
            (GB, 2 * GB),
            id="version 1, the limit of an outer group",
        ),
        pytest.param(
            V1 | v1("", V1_UNLIMITED, GB, outer=str(3 * GB)), (2 * GB, 3 * GB), id="version 1, an outer group not seen"
        ),
        pytest.param(V2 | v2("", "nonsense", GB), SYSTEM, id="a file that makes no sense"),
    ],
)
def test_memory_is_what_every_limit_leaves(files: dict[str, str], expected: tuple[int, int], tmp_path: Path) -> None:
    assert memory_within(SYSTEM, tree(tmp_path, files)) == expected


def cfs(path: str, quota: str, period: str = "100000") -> dict[str, str]:
    return group(f"cpu/{path}", cpu__cfs_quota_us=quota, cpu__cfs_period_us=period)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 8, id="no control groups, as on macOS and Windows"),
        pytest.param(V2, 8, id="the root group has no quota"),
        pytest.param(V2 | group("", cpu__max="max 100000"), 8, id="version 2, unlimited"),
        pytest.param(V2 | group("", cpu__max="400000 100000"), 4, id="version 2"),
        pytest.param(V2 | group("", cpu__max="150000 100000"), 2, id="one and a half"),
        pytest.param(V2 | group("", cpu__max="50000 100000"), 1, id="half a core is one thread"),
        pytest.param(V2 | group("", cpu__max="1600000 100000"), 8, id="more than there are"),
        pytest.param(
            {"proc/self/cgroup": "0::/pod/box"}
            | group("pod/box/", cpu__max="max 100000")
            | group("pod/", cpu__max="1 1"),
            1,
            id="the quota of an outer group",
        ),
        pytest.param(V1 | cfs("", "-1"), 8, id="version 1, unlimited"),
        pytest.param(V1 | cfs("", "300000"), 3, id="version 1"),
        pytest.param(V1 | cfs("", "25000", "50000"), 1, id="version 1, half a core"),
        pytest.param(V2 | group("", cpu__max="100000"), 8, id="a quota without its period"),
        pytest.param(V2 | group("", cpu__max="100000 0"), 8, id="a period of nothing"),
    ],
)
def test_cores_are_what_every_quota_leaves(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    assert cores_within(8, tree(tmp_path, files)) == expected


def test_this_machine_has_some_of_everything(tmp_path: Path) -> None:
    assert usable_cores() >= 1
    assert 0 <= usable_memory().free <= usable_memory().total
    assert free_disk(tmp_path / "not" / "there" / "yet") > 0
