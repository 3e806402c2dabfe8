"""llama-servers in the background: start, list and stop them, and read their logs."""

from youtu_gguf.engines.llama_server.background import (
    RunningServer,
    list_running,
    log_lines,
    run,
    start,
    stop,
)

__all__ = ["RunningServer", "list_running", "log_lines", "run", "start", "stop"]
