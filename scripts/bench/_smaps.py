"""What memory of a process is, by Linux's own account of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+ *(?P<file>.*)")
_SIZE = re.compile(r"(?P<name>\w+): +(?P<kilobytes>\d+) kB")


@dataclass
class Share:
    """Memory in bytes: in use, the process's share of it where several have it, and what no other process has."""

    rss: int = 0
    pss: int = 0
    private: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.rss + other.rss, self.pss + other.pss, self.private + other.private)


def memory_of(pid: int) -> tuple[Share, Share]:
    """Return the memory of a process: of GGUF files that it has mapped, and of everything else.

    Source: Linux, Documentation/filesystems/proc.rst, "smaps".
    """
    weights, rest = Share(), Share()
    now = rest
    for line in Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8", errors="replace").splitlines():
        if found := _MAPPING.fullmatch(line):
            now = weights if found["file"].endswith(".gguf") else rest
        elif found := _SIZE.match(line):
            n_bytes = int(found["kilobytes"]) * 1024
            match found["name"]:
                case "Rss":
                    now.rss += n_bytes
                case "Pss":
                    now.pss += n_bytes
                case "Private_Clean" | "Private_Dirty":
                    now.private += n_bytes
    return weights, rest
