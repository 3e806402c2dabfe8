"""The options of a server, as the command hands them to the process that keeps it."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from youtu_gguf.cli.main import app
from youtu_gguf.cli.server import ServerOptions, typed_options

EVERY = ServerOptions(
    model="nano", mmproj="a.gguf", quiet=True, max_tokens=1, image_max_tokens=2, n_ctx=3, threads=4, n_gpu_layers="5",
    device="CUDA0", mmproj_device="cpu", cuda_graphs=True,
    vision="mtmd", n_slots=6, repack=True, temperature=0.5, port=7,
    server_flags="--numa isolate", server_log=Path("a.log"), start_s=8,
)  # fmt: skip


def test_every_option_is_typed_as_the_help_names_it() -> None:
    known = CliRunner().invoke(app, ["server", "start", "--help"]).stdout.replace(",", " ").split()
    typed = typed_options(EVERY)
    assert len(typed) == len(ServerOptions.__dataclass_fields__)
    assert [option for option in typed if option.partition("=")[0] not in known] == []


def test_options_that_were_not_given_are_not_typed() -> None:
    assert typed_options(ServerOptions(start_s=600.0)) == ["--start-seconds=600.0"]
