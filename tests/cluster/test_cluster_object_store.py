"""A batch on a cluster whose images and results are in an object store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pyarrow import fs

from scripts.soak._cluster_batch import Command, differences, renamed, stored, written
from scripts.soak._ray_nodes import RayNodes

N = 12


def test_an_object_store_gets_what_a_folder_gets(nodes: RayNodes, bucket: str, seen: Path, images: Path) -> None:
    files, base = fs.FileSystem.from_uri(bucket)
    fs.copy_files(str(images), f"{base}/images", destination_filesystem=files)
    command = Command(f"{bucket}/images", f"{bucket}/out", nodes.env, shard_size=4, tasks=("detect circle", "depth"))
    ended = command.run()
    assert ended.returncode == 1, ended.stderr
    workers = {line.split()[0] for line in seen.read_text("utf-8").splitlines()}
    assert len(workers) == 4  # one of each actor, and two in place of those that one picture killed
    here = replace(command, images=str(images))
    assert here.alone(images.parent / "alone").returncode == 1
    got = stored(command.out)
    assert differences(renamed(written(images.parent / "alone"), str(images.parent), bucket), got) == []
    assert {*got.rows.values()} == {1}
    left = files.get_file_info(fs.FileSelector(f"{base}/out", recursive=True))
    folders = {info.path.removeprefix(f"{base}/out/").split("/")[0] for info in left if info.type == fs.FileType.File}
    assert folders == {"parts", "settings.json"}
    before = [info.mtime_ns for info in left]
    again = command.run()
    assert (again.returncode, "0 now" in again.stdout) == (0, True), again.stderr
    assert [info.mtime_ns for info in files.get_file_info(fs.FileSelector(f"{base}/out", recursive=True))] == before
