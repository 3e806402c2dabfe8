"""A systemd unit that runs the server: its text, and where it is put.

Sources: systemd.service(5), systemd.exec(5), sd_notify(3).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from youtu_gguf.environment import user_units_folder
from youtu_gguf.errors import InputError, OutputError

NAME = "youtu-gguf.service"

SYSTEM_UNITS = Path("/etc/systemd/system")

_STOP_MARGIN_S = 15
"""How much longer than the time to drain systemd waits before it kills the server."""

_PLAIN = re.compile(r"[\w@+=:,./-]+")
"""Words of a command line that need no quotes."""

_SHARED = """\
NoNewPrivileges=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
"""

_OF_SYSTEM = """\
DynamicUser=yes
StateDirectory=youtu-gguf
CacheDirectory=youtu-gguf
Environment=XDG_STATE_HOME=/var/lib XDG_DATA_HOME=/var/lib XDG_CACHE_HOME=/var/cache/youtu-gguf
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
CapabilityBoundingSet=
"""
"""What a user's own manager may not do. There is no PrivateDevices and no MemoryDenyWriteExecute: GPUs are devices, and
their drivers compile kernels in memory."""


@dataclass(frozen=True)
class Service:
    """A unit.

    Attributes:
        command: The program and its words.
        drain_s: How long it may take to stop.
        key_file: File of the API key; systemd hands it to a unit of the system, whose user may not read it.
        system: Whether the system runs it, or the manager of one user.
    """

    command: Sequence[str]
    drain_s: float
    key_file: Path | None = None
    system: bool = False

    def text(self) -> str:
        """Return the unit."""
        words = [_quoted(word) for word in self.command]
        if self.key_file is not None:
            path = "%d/api-key" if self.system else _escaped(str(self.key_file))
            words.append(f'"--api-key-file={path}"')
        lines = [
            "[Unit]",
            "Description=Local vision API of youtu_gguf",
            *(("After=network.target",) if self.system else ()),
            "",
            "[Service]",
            "Type=notify",
            f"ExecStart={' '.join(words)}",
            f"EnvironmentFile=-{'/etc' if self.system else '%E'}/youtu-gguf.env",
            "Restart=on-failure",
            "RestartSec=5",
            "TimeoutStartSec=infinity",  # a model may be downloaded first
            f"TimeoutStopSec={int(self.drain_s) + _STOP_MARGIN_S}",
        ]
        if self.key_file is not None and self.system:
            lines.append(f"LoadCredential=api-key:{_escaped(str(self.key_file))}")
        hardening = (_OF_SYSTEM if self.system else "") + _SHARED
        target = "multi-user.target" if self.system else "default.target"
        return "\n".join((*lines, hardening.rstrip(), "", "[Install]", f"WantedBy={target}", ""))

    @property
    def file(self) -> Path:
        """Where the unit belongs."""
        return (SYSTEM_UNITS if self.system else user_units_folder()) / NAME

    def install(self) -> Path:
        """Write the unit where it belongs; return that.

        Raises:
            InputError: Another unit is there.
            OutputError: The file cannot be written.
        """
        file, text = self.file, self.text()
        try:
            if file.exists():
                if file.read_text(encoding="utf-8") == text:
                    return file
                raise InputError(f"expected no other unit at {file}; there is one. Remove it, or compare --print-unit.")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as opened:
                opened.write(text)
        except (OSError, ValueError) as exc:
            raise OutputError(f"expected to write {file}; got: {exc}. Check that folder and its permissions.") from exc
        return file

    @property
    def next_steps(self) -> tuple[str, ...]:
        """The commands that start it, for a person to run."""
        if self.system:
            return ("systemctl daemon-reload", f"systemctl enable --now {NAME}", f"journalctl -u {NAME} -f")
        return (
            "systemctl --user daemon-reload",
            f"systemctl --user enable --now {NAME}",
            "loginctl enable-linger  # so that it runs while you are not logged in",
            f"journalctl --user -u {NAME} -f",
        )


def runs_as_root() -> bool:
    """Return whether this process may write units of the system."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _quoted(word: str) -> str:
    """Return a word as a unit's command line has it.

    Raises:
        InputError: A unit cannot hold it.
    """
    escaped = _escaped(word)
    return escaped if _PLAIN.fullmatch(word) else f'"{escaped}"'


def _escaped(word: str) -> str:
    if not word.isprintable():
        raise InputError(f"a unit of systemd takes printable words; got {word!r}. Rename that file.")
    for character, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%"), ("$", "$$")):
        word = word.replace(character, written)
    return word
