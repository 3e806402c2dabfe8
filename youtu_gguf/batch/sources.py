"""Finds images anywhere: by paths as `find_images` does, and by addresses of object stores; says what state each is in.

A folder is listed once, so that a million images cost a thousand requests of S3, not a million.
"""

from __future__ import annotations

import fnmatch
import glob
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from youtu_gguf.batch.addresses import file_system, is_local, joined, local_path, shown, split
from youtu_gguf.batch.faults import attempt
from youtu_gguf.batch.paths import expand, lines_of, none_found, read_list, required
from youtu_gguf.batch.store import Stat, Store, stat_of
from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import SUFFIXES

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

MANY = 50
"""Objects of one folder that are named one by one: from so many on the folder is listed instead of asking for each."""

THREADS = 16
"""Requests at a time, where objects are asked for one by one."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a batch in shards.

    Attributes:
        name: As the user named it; what its line is named after.
        address: Where every machine finds it: an absolute path, or an address of a store.
        etag: What its file system said of it when the batch began; None where it was not there.
    """

    name: str
    address: str
    etag: str | None


def find_items(named: Sequence[str], leave_out: Sequence[str] = ()) -> list[Item]:
    """Find the images that a user names, wherever they are.

    Args:
        named: As for `find_images`, and addresses: of objects; of folders, which are searched at every depth without
            hidden objects, sorted; patterns such as `s3://bucket/photos/**/*.jpg`; `@s3://bucket/list.txt` for a list.
        leave_out: Folders, also by addresses, that are skipped when folders and patterns are searched: those that a
            batch writes to.

    Returns:
        Each image once, in the order in which they were named. A file or an object that is named directly is included
        even if it does not exist; its etag is None.

    Raises:
        InputError: A list cannot be read, a folder or pattern has no image, no image is named, or a store does not
            answer.
    """
    names = [name for given in named for name in (_read_list(given[1:]) if given.startswith("@") else [given])]
    infos = _looked_up([name for name in names if not is_local(name)])
    found: dict[str, Item] = {}
    here = [Path(local_path(folder)) for folder in leave_out if is_local(folder)]
    elsewhere = [folder for folder in leave_out if not is_local(folder)]
    for name in names:
        for item in _local(name, here) if is_local(name) else _remote(name, infos, elsewhere):
            found.setdefault(item.name, item)
    return required(found.values())


def _read_list(name: str) -> list[str]:
    if is_local(name):
        return read_list(name if name == "-" else local_path(name))
    folder, file = _parent(name)
    data = Store(folder).read(file)
    if data is None:
        raise InputError(f"expected a list of images, one per line; got {shown(name)}: it is missing. Check it.")
    return lines_of(data)


def _local(name: str, leave_out: Sequence[Path]) -> Iterator[Item]:
    base = Path.cwd()
    for path in expand(local_path(name), leave_out):
        yield Item(path.as_posix(), str(base / path), _etag(path))


def _etag(path: Path) -> str | None:
    try:
        stat = path.stat()
    except (OSError, ValueError):  # a list may hold a name with a zero byte
        return None
    return Stat.of(stat.st_size, stat.st_mtime_ns).etag


def _remote(name: str, infos: Mapping[str, FileInfo], leave_out: Sequence[str]) -> Iterator[Item]:
    from pyarrow.fs import FileType

    info = infos[name]
    if info.type == FileType.File:
        yield Item(shown(name), name, stat_of(info).etag)
    elif info.type == FileType.Directory:
        found = {file: stat for file, stat in Store(name).files().items() if is_image(file)}
        what = f"images ({', '.join(sorted(SUFFIXES))}) in the folder {shown(name)}"
        yield from _listed(name, sorted(found, key=lambda file: file.split("/")), found, leave_out, what)
    elif glob.has_magic(split(name).path):
        folder, *pattern = _cut_pattern(name)
        files = Store(folder).files(deep=pattern[0] == "**" or len(pattern) > 1, hidden=True)
        fitting = [file for file in files if fits(file.split("/"), pattern)]
        yield from _listed(folder, fitting, files, leave_out, f"files that match {shown(name)}")
    else:
        yield Item(shown(name), name, None)


def is_image(name: str) -> bool:
    """Return whether a name ends as those of images do."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def _listed(
    folder: str, names: Iterable[str], stats: Mapping[str, Stat], leave_out: Sequence[str], what: str
) -> Iterator[Item]:
    root, path, _ = split(folder)
    apart = [f"{out.path}/".lstrip("/") for out in map(split, leave_out) if out.root == root]
    n = 0
    for name in names:
        if not f"{path}/{name}".lstrip("/").startswith(tuple(apart)):
            n += 1
            address = joined(folder, name)
            yield Item(shown(address), address, stats[name].etag)
    if n == 0:
        raise none_found(what)


def _cut_pattern(address: str) -> list[str]:
    """Return the folder of a pattern, up to its first part with a special character, and the parts from there."""
    root, path, options = split(address)
    names = path.split("/")
    first = next(n for n, name in enumerate(names) if glob.has_magic(name))
    return ["/".join([root, *names[:first]]) + options, *names[first:]]


def fits(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the parts of a path fit those of a pattern, as in `glob`: "**" is any number of folders.

    Special characters do not match a dot at the beginning of a name.
    """
    if not names or not pattern:
        return not names and all(part == "**" for part in pattern)
    is_hidden = names[0].startswith(".")
    if pattern[0] == "**":
        return fits(names, pattern[1:]) or (not is_hidden and fits(names[1:], pattern))
    same = fnmatch.fnmatchcase(names[0], pattern[0]) and is_hidden <= pattern[0].startswith(".")
    return same and fits(names[1:], pattern[1:])


def _looked_up(addresses: Sequence[str]) -> dict[str, FileInfo]:
    """Return what is at addresses: by one listing of each folder that many of them are in, else by a request each."""
    inside: dict[str, list[str]] = defaultdict(list)
    for address in dict.fromkeys(addresses):
        folder, name = _parent(address)
        inside[folder if is_image(name) else ""].append(address)
    several = {folder for folder, found in inside.items() if folder and len(found) >= MANY}
    single = [address for folder, found in inside.items() if folder not in several for address in found]
    with ThreadPoolExecutor(THREADS) as pool:
        infos = dict(zip(single, pool.map(_info, single), strict=True))
        for found in pool.map(_infos, several, (inside[folder] for folder in several)):
            infos |= found
    return infos


def _info(address: str) -> FileInfo:
    files, path = file_system(address)
    return attempt(lambda: files.get_file_info(path), "read", address)


def _infos(folder: str, addresses: Sequence[str]) -> dict[str, FileInfo]:
    from pyarrow.fs import FileInfo, FileSelector, FileType

    files, path = file_system(folder)
    selector = FileSelector(path, allow_not_found=True)
    infos = {info.base_name: info for info in attempt(lambda: files.get_file_info(selector), "list", folder)}
    return {one: infos.get(_parent(one)[1]) or FileInfo(path, FileType.NotFound) for one in addresses}


def _parent(address: str) -> tuple[str, str]:
    """Return the folder of an address, and the name in it."""
    root, path, options = split(address)
    folder, _, name = path.rpartition("/")
    return (f"{root}/{folder}" if folder else root) + options, name
