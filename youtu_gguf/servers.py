"""llama-servers in the background: started, listed, stopped, and what they wrote."""

from youtu_gguf.engines.llama_server.background import (
    RunningServer,
    list_running,
    log_lines,
    run,
    start,
    stop,
)

__all__ = ["RunningServer", "list_running", "log_lines", "run", "start", "stop"]
