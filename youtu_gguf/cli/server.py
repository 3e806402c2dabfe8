"""The commands that run a llama-server in the background, for other commands and programs."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

import youtu_gguf as yg
from youtu_gguf.cli.common import AsJson, FileOptions, command, size_of
from youtu_gguf.cli.help import GroupedCommand, GroupedCommands
from youtu_gguf.cli.progress import shown
from youtu_gguf.errors import InputError

app = typer.Typer(
    cls=GroupedCommands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="""Run a llama-server in the background.

    It answers the tasks that need text alone. For an API of your own programs see "youtu-gguf serve".""",
)

Pid = Annotated[int | None, typer.Argument(metavar="PID", help="Process id of the server; needed if several run.")]


@dataclass(frozen=True)
class ServerOptions(FileOptions):
    """The options of a server."""

    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="Port on this machine's loopback address. [default: a free one]")
    ] = None
    server_flags: Annotated[
        str | None,
        typer.Option("--flags", metavar="FLAGS", help='Further flags for llama-server, such as "--numa isolate".'),
    ] = None
    server_log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE", help="Log file of the server. [default: one in your state folder]"),
    ] = None
    start_s: Annotated[
        float,
        typer.Option("--start-seconds", metavar="SECONDS", help="Longest time to wait until the server is ready."),
    ] = 600.0


def start(
    options: ServerOptions,
    *,
    foreground: Annotated[bool, typer.Option("--foreground", help="Do not return; Ctrl-C stops the server.")] = False,
    started: Annotated[bool, typer.Option("--started", hidden=True, help="Report to the starting process.")] = False,
) -> None:
    r"""Start a server in the background.

    If the server fails, it is restarted, until "youtu-gguf server stop". The command prints the address and the key
    as lines for a shell, so that later commands use the server: eval "$(youtu-gguf server start)"
    """
    if foreground:
        _stay(options, started=started)
        return
    with shown(not options.quiet) as display:
        server = yg.servers.start(typed_options(options), start_s=options.start_s, progress=display.report)
    print(f"export YOUTU_GGUF_ENGINE={server.url}")
    print(f"export YOUTU_GGUF_API_KEY={server.api_key}")
    if not options.quiet:
        print(f"server {server.pid} is ready at {server.url}; its log is {server.log}", file=sys.stderr)


def _stay(options: ServerOptions, *, started: bool) -> None:
    """Run the server in this process until a signal ends it."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = options.settings()
    if options.server_flags is not None:
        settings["server_flags"] = _split(options.server_flags)
    yg.servers.run(options.model, options.mmproj, stop, port=options.port, started=started, **settings)


def _split(flags: str) -> list[str]:
    try:
        return shlex.split(flags)
    except ValueError as exc:
        raise InputError(f"--flags must be flags as in a shell; got {flags!r}: {exc}. Correct the quotes.") from exc


def typed_options(options: FileOptions) -> list[str]:
    """Return the options as words of a command line."""
    hints = get_type_hints(type(options), include_extras=True)
    typed = []
    for field in fields(options):
        name = hints[field.name].__metadata__[0].default  # where typer keeps the first name, or ... without any
        flag = name if isinstance(name, str) else f"--{field.name.replace('_', '-')}"
        value = getattr(options, field.name)
        if value is True:
            typed.append(flag)
        elif isinstance(value, list):
            typed += [f"{flag}={item}" for item in value]
        elif value not in (None, False):
            typed.append(f"{flag}={value}")
    return typed


def status(as_json: AsJson = False) -> None:
    """List the running servers."""
    servers = yg.servers.list_running()
    if as_json:
        print(json.dumps([asdict(server) for server in servers]))
        return
    if not servers:
        print("no server is running", file=sys.stderr)
    for server in servers:
        whose = "in the background" if server.background else f"of process {server.owner_pid}"
        state = "ready" if server.ready else "not answering"
        minutes = (time.time() - server.since) / 60
        print(f"{server.pid}  {server.url}  {state}, {whose}, {minutes:.0f} min, {size_of(server.memory)}")
        print(f"    model {server.model}\n    log   {server.log}\n    llama-server {server.version}")


def stop(pid: Pid = None) -> None:
    """Stop a background server.

    It does not stop servers that belong to a program; that program does.
    """
    if pid is None and not any(server.background for server in yg.servers.list_running()):
        print("no server is running in the background", file=sys.stderr)
        return
    server = _find(pid, background=True)
    if not yg.servers.stop(server):
        raise yg.EngineError(
            f"server {server.pid} does not stop, or this user may not stop it. Try as the user who started it."
        )
    print(f"stopped server {server.pid}", file=sys.stderr)


def logs(
    pid: Pid = None,
    n: Annotated[int, typer.Option("--lines", "-n", metavar="N", min=1, help="Number of lines.")] = 40,
) -> None:
    """Print the last lines of a server's log."""
    server = _find(pid, background=False)
    for line in yg.servers.log_lines(server, n):
        print(line)


def _find(pid: int | None, *, background: bool) -> yg.servers.RunningServer:
    """Return the server with this pid, or the only one that runs.

    Raises:
        InputError: There is none, or there are several and `pid` is None.
    """
    servers = yg.servers.list_running()
    if pid is not None:
        for server in servers:
            if server.pid == pid:
                return server
        raise InputError(f"expected the process id of a server; got {pid}. `youtu-gguf server status` lists them.")
    found = [server for server in servers if server.background or not background]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InputError("no server is running. `youtu-gguf server start` starts one.")
    raise InputError(
        f"expected a process id, since {len(found)} servers are running: {', '.join(str(s.pid) for s in found)}."
    )


for function in (start, status, stop, logs):
    app.command(function.__name__, cls=GroupedCommand)(command(function))
