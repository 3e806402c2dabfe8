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

from youtu_gguf.batch.addresses import is_local, joined, local_path, parent, shown, split
from youtu_gguf.batch.backends import Found, Local, Stat, backend_of
from youtu_gguf.batch.faults import attempt
from youtu_gguf.batch.paths import expand, lines_of, none_found, read_list, required
from youtu_gguf.batch.store import THREADS, Store, read_at
from youtu_gguf.errors import InputError
from youtu_gguf.images.formats import SUFFIXES

MANY = 50
"""Objects of one folder that are named one by one: from so many on the folder is listed instead of asking for each."""


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
    data = read_at(name)
    if data is None:
        raise InputError(f"expected a list of images, one per line; got {shown(name)}: it is missing. Check it.")
    return lines_of(data)


def _local(name: str, leave_out: Sequence[Path]) -> Iterator[Item]:
    base, files = Path.cwd(), Local()
    for path in expand(local_path(name), leave_out):
        found = files.look(str(path))
        yield Item(path.as_posix(), str(base / path), found.etag if isinstance(found, Stat) else None)


def _remote(name: str, infos: Mapping[str, Found], leave_out: Sequence[str]) -> Iterator[Item]:
    info = infos[name]
    if isinstance(info, Stat):
        yield Item(shown(name), name, info.etag)
    elif info == "folder":
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


def _looked_up(addresses: Sequence[str]) -> dict[str, Found]:
    """Return what is at addresses: by one listing of each folder that many of them are in, else by a request each."""
    inside: dict[str, list[str]] = defaultdict(list)
    for address in dict.fromkeys(addresses):
        folder, name = parent(address)
        inside[folder if is_image(name) else ""].append(address)
    several = {folder for folder, found in inside.items() if folder and len(found) >= MANY}
    single = [address for folder, found in inside.items() if folder not in several for address in found]
    with ThreadPoolExecutor(THREADS) as pool:
        infos = dict(zip(single, pool.map(_look, single), strict=True))
        for folder, stats in zip(several, pool.map(_files, several), strict=True):
            infos |= {address: stats.get(parent(address)[1]) for address in inside[folder]}
    return infos


def _look(address: str) -> Found:
    backend, path = backend_of(address)
    return attempt(lambda: backend.look(path), "read", address)


def _files(folder: str) -> dict[str, Stat]:
    return Store(folder).files(deep=False, hidden=True)
