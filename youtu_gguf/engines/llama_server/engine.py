"""The engine that runs its own llama-server: started with the documented flags, supervised, asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import finalize

from youtu_gguf.config import PROCESSOR
from youtu_gguf.engines.http.engine import HttpEngine
from youtu_gguf.engines.http.served import LLAMA_SERVER, Served
from youtu_gguf.engines.http.transport import Address, Hangup, NotSentError
from youtu_gguf.engines.llama_server.binary import LlamaServer, find_llama_server, list_devices
from youtu_gguf.engines.llama_server.supervisor import Program, Supervisor
from youtu_gguf.engines.native.llama.placement import KINDS, Device, choose_devices
from youtu_gguf.errors import ServerError
from youtu_gguf.gguf.vocabulary import control_tokens
from youtu_gguf.prompts import TEMPLATE
from youtu_gguf.types import ProgressFn, no_progress

if TYPE_CHECKING:
    from youtu_gguf.config import Settings
    from youtu_gguf.gguf.pair import ModelPair

NOT_SENT_RETRIES = 19
"""Further tries to reach a server that has just ended, before its supervisor has noticed."""


class ServerEngine(HttpEngine):
    """Runs a llama-server until it is closed, and never longer than this process lives.

    Safe to use from many threads. It answers as many questions at a time as it has slots; a slot that does not have the
    image yet processes it again. If the server fails, unfinished answers end in a `ServerError`; the server is
    restarted, and the next question waits for it.

    Args:
        pair: A checked model and projector.
        settings: As for the native engine; `settings.server` has the server's own.
        progress: Called while loading, prefilling and generating, in the thread that waits for it.

    Attributes:
        supervisor: Keeps it running.

    Raises:
        InputError: The context is longer than the model was made for.
        EngineError: No llama-server can run the model, or it does not start: then with its last lines.
    """

    name = "server"
    retries = NOT_SENT_RETRIES

    def __init__(self, pair: ModelPair, settings: Settings, progress: ProgressFn = no_progress) -> None:
        super().__init__(settings, progress)
        self.pair = pair
        self.model = pair.model.path.stem
        self.control_tokens = control_tokens(pair.model)
        self.supervisor = Supervisor(program(pair, settings), settings.server)
        self._finalize = finalize(self, self.supervisor.close)  # runs when the interpreter exits too
        try:
            self.supervisor.wait_ready(progress)
        except BaseException:
            self._finalize()
            raise
        progress("load", 100, 100)

    def using(self, hangup: Hangup) -> AbstractContextManager[Address]:
        """Give the server's address, once it is ready."""
        return self.supervisor.using(hangup)

    def served(self, address: Address) -> Served:  # noqa: ARG002
        """Return the model. An answer ends where the context does, so its size is not told."""
        return Served(self.model, LLAMA_SERVER)

    def may_retry(self, error: ServerError) -> bool:
        """Retry only what has not been sent: the caller decides whether to repeat a lost answer."""
        return isinstance(error, NotSentError)

    def close(self) -> None:
        """Stop the server; unfinished answers end with an error."""
        super().close()
        self._finalize()


def program(pair: ModelPair, settings: Settings) -> Program:
    """Return the command that serves a model pair, without host and port.

    The flags are those the model's authors document (facts: prompt), with the values of `settings`; then
    those that make it compute as the native engine does, and keep it on this machine.

    Raises:
        InputError: The context is longer than the model was made for, or llama-server has no device of that name.
        EngineError: No llama-server can run it.
    """
    found = find_llama_server(settings.server.llama_server)
    sampling = settings.sampling
    command = [
        str(found.path),
        *("--model", str(Path(pair.model.path).absolute())),
        *("--mmproj", str(Path(pair.projector.path).absolute())),
        *("--image-max-tokens", str(settings.image_max_tokens)),
        *("--temp", f"{sampling.temperature:g}"),
        *("--top-p", f"{sampling.top_p:g}"),
        *("--repeat-penalty", f"{sampling.repeat_penalty:g}"),
        *("-n", str(sampling.max_tokens)),
        *("--ctx-size", str(settings.context(pair.language.n_ctx_train))),
        *("--parallel", str(settings.server.n_slots)),
        "--kv-unified",  # all slots share the context, so that one long answer has all of it
        *("--batch-size", str(settings.n_batch)),
        *("--ubatch-size", str(settings.n_batch)),
        *("--threads", str(settings.n_threads)),
        *("--gpu-layers", "all" if settings.n_gpu_layers == -1 else str(settings.n_gpu_layers)),
        *_devices(settings, found),
        *("--cache-ram", str(settings.cache_bytes >> 20)),
        *(() if settings.repack else ("--no-repack",)),
        *("--jinja", "--chat-template", TEMPLATE),  # whatever the file holds, the prompts are the native engine's
        "--no-warmup",
        "--offline",
        *(("--cors-origins", "localhost") if "--cors-origins" in found.flags else ()),
    ]
    return Program(command, str(pair.model.path), found.version, settings.cuda_graphs)


def _devices(settings: Settings, found: LlamaServer) -> Iterator[str]:
    """Yield the flags of the devices that are named. Without any, llama-server uses all GPUs."""
    wanted = settings.device, settings.mmproj_device
    named = any(device is not None and device.lower() != PROCESSOR for device in wanted)
    gpus = {name: Device(name, "", KINDS[1], 0, 0) for name in (list_devices(found) if named else ())}
    if settings.device is not None:
        devices = choose_devices("device", settings.device, gpus)
        yield from ("--device", ",".join(device.name for device in devices) or "none")
    projector = settings.mmproj_device or (PROCESSOR if settings.n_gpu_layers == 0 else None)
    if projector is not None:
        devices = choose_devices("mmproj_device", projector, gpus, most=1)
        yield from ("--mmproj-device", devices[0].name) if devices else ("--no-mmproj-offload",)
