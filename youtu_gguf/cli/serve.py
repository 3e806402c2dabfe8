"""The command that serves a model over HTTP."""

from __future__ import annotations

import functools
import logging
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

import youtu_gguf as yg
from youtu_gguf.arguments import checked_key, checked_path, is_server, is_there
from youtu_gguf.cli.common import CacheFolder, Drafting, Engine, FileOptions, Language
from youtu_gguf.cli.help import MODEL
from youtu_gguf.cli.progress import shown
from youtu_gguf.cli.quantities import parse_bytes, parse_count, parse_seconds
from youtu_gguf.cli.server import typed_options
from youtu_gguf.environment import default_engine, default_model
from youtu_gguf.errors import CapabilityError, InputError, ModelFileError

if TYPE_CHECKING:
    from youtu_gguf.serve.settings import ServeSettings

SMALL = "nano"
"""What is served where nothing was pulled."""

CACHE_BYTES = 1 << 30
"""Memory for images that the model has read: some 15,000 image tokens of the full-size model."""

_OF_SETTINGS = (
    "host", "port", "insecure", "fetch_urls", "fetch_http", "label_studio_url", "max_body", "max_pixels", "max_waiting",
    "images_bytes", "results_bytes", "drain_s", "idle_unload_s",
)  # fmt: skip
"""Options that are settings of the same name."""


@dataclass(frozen=True)
class ServeOptions(FileOptions):
    """The options of a local API."""

    host: Annotated[
        str | None,
        typer.Option(metavar="HOST", help="Address to listen at; beyond this machine only with a key. [default: "
                     "127.0.0.1]"),
    ] = None  # fmt: skip
    port: Annotated[int | None, typer.Option(metavar="PORT", help="Port; 0 takes a free one. [default: 8765]")] = None
    api_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File whose first line is a key that every request must bring."),
    ] = None
    insecure: Annotated[bool, typer.Option("--insecure", help="Let other machines use the server without a key.")] = (
        False
    )
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name that clients may call this machine by. May be repeated."),
    ] = None
    cors_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="A web site whose pages may use the server, such as https://example.org. May be repeated.",
        ),
    ] = None
    fetch_urls: Annotated[
        bool, typer.Option("--fetch-urls", help="Fetch images that requests name by a URL, from public addresses.")
    ] = False
    fetch_http: Annotated[
        bool,
        typer.Option("--fetch-http", help="With --fetch-urls: also by http, where anyone on the way can see them."),
    ] = False
    max_body: Annotated[
        int | None,
        typer.Option(metavar="SIZE", parser=parse_bytes, help="Longest body of a request. [default: 32M]"),
    ] = None
    max_pixels: Annotated[
        int | None, typer.Option(metavar="N", parser=parse_count, help="Most pixels of an image. [default: 50M]")
    ] = None
    max_waiting: Annotated[
        int | None,
        typer.Option("--queue", metavar="N", help="Most requests that wait for an answer. [default: 32]"),
    ] = None
    images_bytes: Annotated[
        int | None,
        typer.Option(metavar="SIZE", parser=parse_bytes, help="Memory for images that were sent. [default: 512M]"),
    ] = None
    results_bytes: Annotated[
        int | None,
        typer.Option(
            metavar="SIZE", parser=parse_bytes, help="Memory for results that can be asked for again. [default: 256M]"
        ),
    ] = None
    drain_s: Annotated[
        float | None,
        typer.Option(
            "--drain",
            metavar="TIME",
            parser=parse_seconds,
            help="How long running answers may take when the server is stopped. [default: 10s]",
        ),
    ] = None
    idle_unload_s: Annotated[
        float | None,
        typer.Option(
            "--idle-unload",
            metavar="TIME",
            parser=parse_seconds,
            help="Unload the model when no one has used it for so long, such as 15m; the next task loads it again. "
            "[default: never]",
        ),
    ] = None
    no_page: Annotated[bool, typer.Option("--no-page", help="Serve no page at /.")] = False
    classes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=CLASS,...",
            help='Classes that clients of DeepStack\'s API find as the custom model NAME; those of "default" are found '
            "where they name none. May be repeated.",
        ),
    ] = None
    label_studio_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The Label Studio whose images may be fetched, such as http://labels.lan:8080."
        ),
    ] = None
    label_studio_token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File whose first line is its access token.")
    ] = None
    engine: Engine = None
    draft: Drafting = None
    lang: Language = None
    cache_dir: CacheFolder = None
    cache_bytes: Annotated[
        int | None,
        typer.Option(
            metavar="SIZE",
            parser=parse_bytes,
            help="Memory for images that the model has read. [default: 1G]",
            rich_help_panel=MODEL,
        ),
    ] = None


def serve(
    options: ServeOptions,
    *,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the web browser.")] = False,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit that serves with these options, and exit.")
    ] = False,
    install_service: Annotated[
        bool,
        typer.Option("--install-service", help="Install that unit, for this user; as root, for the system; and exit."),
    ] = False,
) -> None:
    """Serve a model over HTTP, for other programs.

    One process, one model, and the APIs that programs speak already: our own, OpenAI's, Ollama's and others
    (docs/serving.md). An image is read once for all requests about it. Ctrl-C stops the server. (To run llama.cpp's own
    server, see "youtu-gguf server".)

    Without --model the published model is served if it was pulled, else the small one that ships with this package.
    The exit code is 0 after Ctrl-C or SIGTERM.
    """
    settings = _settings(options)
    if open_page and settings.api_key is not None:
        settings = replace(settings, ticket=secrets.token_urlsafe())
    if print_unit or install_service:
        _as_service(options, settings.drain_s, install=install_service)
        return
    load = _loader(options)
    run_server = _run_server()
    with _log_on_stderr(logging.WARNING if options.quiet else logging.INFO):
        code = run_server(load, settings, functools.partial(_announce, settings.ticket, open_page=open_page))
    if code:
        raise typer.Exit(code)
    _leave()


def _as_service(options: ServeOptions, drain_s: float, *, install: bool) -> None:
    """Print or install a unit that serves with `options`."""
    from youtu_gguf.serve.service import Service, runs_as_root

    paths = ("mmproj", "cache_dir", "label_studio_token_file")
    absolute: dict[str, Any] = {name: _absolute(getattr(options, name)) for name in paths}
    model = options.model
    if model is not None and is_there(checked_path("model", model)):
        absolute["model"] = _absolute(model)
    words = typed_options(replace(options, api_key_file=None, **absolute))
    key_file = None if options.api_key_file is None else options.api_key_file.absolute()
    service = Service((sys.executable, "-m", "youtu_gguf", "serve", *words), drain_s, key_file, runs_as_root())
    if not install:
        print(service.text(), end="")
        return
    print(f"wrote {service.install()}. Next:", file=sys.stderr)
    for step in service.next_steps:
        print(f"  {step}")


def _absolute(path: str | Path | None) -> str | None:
    return None if path is None else str(Path(path).expanduser().absolute())


def _leave() -> None:
    """End the process, where everything is closed and only the interpreter's own end is left.

    That takes seconds where the processors are busy: 1.5 to 6 s on two cores with ten other processes at work.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


@contextmanager
def _log_on_stderr(level: int) -> Iterator[None]:
    """Write what the server logs to stderr in a `with` block."""
    log = logging.getLogger("youtu_gguf.serve")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    before = log.level, log.propagate
    log.setLevel(level)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]


def _run_server() -> Callable[..., int]:
    try:
        from youtu_gguf.serve.run import serve as run_server
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("youtu_gguf"):
            raise
        raise CapabilityError(
            f"expected the packages of the local API; {exc.name} is missing. Install the extra: pip install "
            '"youtu_gguf[serve]"'
        ) from exc
    return run_server


def _settings(options: ServeOptions) -> ServeSettings:
    """Return the settings of the server that `options` name.

    Raises:
        InputError: One of them cannot be used.
    """
    from youtu_gguf.serve.settings import ServeSettings

    given: dict[str, Any] = {name: getattr(options, name) for name in _OF_SETTINGS}
    given = {name: value for name, value in given.items() if value is not None}
    return ServeSettings(
        **given,
        api_key=None if options.api_key_file is None else _read_key(options.api_key_file),
        allowed_hosts=tuple(options.allow_host or ()),
        cors_origins=tuple(options.cors_origin or ()),
        page=not options.no_page,
        classes=dict(map(_class_list, options.classes or ())),
        label_studio_token=None
        if options.label_studio_token_file is None
        else _read_key(options.label_studio_token_file),
    )


def _class_list(typed: str) -> tuple[str, tuple[str, ...]]:
    name, sign, classes = typed.partition("=")
    found = tuple(word.strip() for word in classes.split(",") if word.strip())
    if not sign or not name.strip() or not found:
        raise InputError(f"--classes must be a name and its classes, such as cars=car,truck; got {typed!r}.")
    return name.strip(), found


def _read_key(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as exc:
        raise InputError(f"expected a key in the file {file}; it cannot be read: {exc}.") from exc
    return checked_key(f"the first line of {file}", lines[0].strip() if lines else "")


def _loader(options: ServeOptions) -> Callable[[], yg.Model]:
    """Return what loads the model; progress is shown while that runs."""
    model = options.model or _small_if_none(options)
    settings = {"cache_bytes": CACHE_BYTES, **options.settings()}

    def load() -> yg.Model:
        with shown(not options.quiet) as display:
            loaded = yg.load(model, options.mmproj, options.engine, display.report, **settings)
            display.clear()
            return loaded

    return load


def _small_if_none(options: ServeOptions) -> str | None:
    """Return the small model's name if no model was named and none was pulled; say so."""
    engine = options.engine or default_engine() or ""
    if default_model() is not None or is_server(engine):
        return None
    try:
        yg.weights.find()
    except ModelFileError:
        if [pair.name for pair in yg.weights.list_models()] != [SMALL]:
            raise  # something is there: the error says what to do about it
    else:
        return None
    print(
        "No model was pulled: the small one that ships with this package is served. It only knows drawn scenes. "
        '"youtu-gguf pull" downloads the published model (6.1 GB).',
        file=sys.stderr,
    )
    return SMALL


def _announce(ticket: str | None, url: str, *, open_page: bool) -> None:
    print(f"listening at {url}", flush=True)
    if open_page:  # in a thread: it takes seconds, or as long as a browser in the terminal runs
        threading.Thread(target=_open_page, args=(page_url(url, ticket),), name="browser", daemon=True).start()


def _open_page(url: str) -> None:
    import webbrowser

    if not webbrowser.open(url):
        print("No web browser could be started here: open the address in one yourself.", file=sys.stderr)


def page_url(url: str, key: str | None) -> str:
    """Return where a browser on this machine finds the page, with what it needs to begin a session.

    Args:
        url: The server's address, such as "http://0.0.0.0:8765".
        key: Its key, or what stands for it. It is in the part of the address that browsers do not send.
    """
    for everywhere, here in (("//0.0.0.0:", "//127.0.0.1:"), ("//[::]:", "//[::1]:")):
        url = url.replace(everywhere, here)
    return f"{url}/" if key is None else f"{url}/#key={quote(key, safe='')}"
