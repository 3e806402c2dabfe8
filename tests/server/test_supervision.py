"""What happens to a llama-server of ours, and to those who are waiting for it, when things go wrong."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

import youtu_gguf as yg
from scripts.nano.scenes import TEST_SEEDS, draw
from tests.integration.test_soak import script
from tests.server.conftest import NANO, Serve, address_of, engine_of
from youtu_gguf.config import make_settings
from youtu_gguf.engines.http.transport import Hangup
from youtu_gguf.engines.llama_server.engine import program
from youtu_gguf.engines.llama_server.process import LAST_LINES, ChildProcess
from youtu_gguf.engines.llama_server.supervisor import Supervisor, free_port
from youtu_gguf.environment import NO_CUDA_GRAPHS_VARIABLE, OURS, server_environment
from youtu_gguf.gguf.pair import check_pair
from youtu_gguf.prompts import TEMPLATE

RGB = draw(TEST_SEEDS).rgb
SECONDS = 20.0


def servers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "llama-server" in child.name()]


def wait_for(what: Callable[[], object], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


NANO_PAIR = check_pair(*yg.weights.find("nano"))


def supervise(find_port: Callable[[], int] = free_port, **settings: object) -> Supervisor:
    chosen = make_settings(**{**NANO, **settings})
    return Supervisor(program(check_pair(*yg.weights.find("nano")), chosen), chosen.server, find_port=find_port)


def test_the_command_line_is_as_documented(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    model = serve(n_slots=3, server_flags=["--log-prefix"], temperature=0.1, max_tokens=12_280, cache_bytes=8 << 20)
    url, _ = address_of(model)
    files = engine_of(model).pair
    (child,) = servers()
    assert child.cmdline()[1:] == [
        "--model", str(files.model.path), "--mmproj", str(files.projector.path),
        "--image-max-tokens", "2048", "--temp", "0.1", "--top-p", "0.001", "--repeat-penalty", "1.05", "-n", "12280",
        "--ctx-size", "2048", "--parallel", "3", "--kv-unified", "--batch-size", "512", "--ubatch-size", "512",
        "--threads", "1", "--gpu-layers", "auto", "--cache-ram", "8", "--no-repack",
        "--jinja", "--chat-template", TEMPLATE, "--no-warmup", "--offline",
        "--cors-origins", "localhost",
        "--host", "127.0.0.1", "--port", url.removesuffix("/v1").rpartition(":")[2], "--log-prefix",
    ]  # fmt: skip


def with_two_cards(folder: Path) -> Path:
    """Return a program that answers as a llama-server with two GPUs does."""
    stand_in = folder / "llama-server"
    listed = "".join(f"  CUDA{i}: a card (24000 MiB, 23000 MiB free)\\n" for i in range(2))
    flags = "--image-max-tokens --mmproj --kv-unified --cache-ram"
    stand_in.write_text(
        f"#!/bin/sh\n# youtuvl\n[ $1 = --list-devices ] && printf 'Available devices:\\n{listed}' && exit\n"
        f"echo 'version: 9 (abc)'; echo '{flags}'\n"
    )
    stand_in.chmod(0o755)
    return stand_in


@pytest.mark.parametrize("setting", ["device", "mmproj_device"])
def test_a_device_that_the_server_does_not_have_is_refused_with_those_it_has(setting: str, tmp_path: Path) -> None:
    with pytest.raises(yg.InputError, match=f"{setting} must be among cpu, CUDA0, CUDA1; got CUDA2"):
        program(NANO_PAIR, make_settings(llama_server=with_two_cards(tmp_path), **{setting: "CUDA2"}))  # type: ignore[arg-type]
    with pytest.raises(yg.InputError, match=r"must be among cpu; got CUDA0\. This llama.cpp sees no GPU"):
        program(NANO_PAIR, make_settings(**{setting: "CUDA0"}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        ({"n_gpu_layers": -1}, "--gpu-layers all"),
        ({"n_gpu_layers": 7, "device": "cuda1"}, "--gpu-layers 7 --device CUDA1"),
        ({"device": "CPU"}, "--gpu-layers auto --device none"),
        ({"n_gpu_layers": 0}, "--gpu-layers 0 --no-mmproj-offload"),
        ({"mmproj_device": "cpu"}, "--gpu-layers auto --no-mmproj-offload"),
        ({"device": "cpu", "mmproj_device": "CUDA0"}, "--gpu-layers auto --device none --mmproj-device CUDA0"),
    ],
)
def test_devices_are_named_as_llama_server_names_them(settings: dict[str, object], flags: str, tmp_path: Path) -> None:
    stand_in = with_two_cards(tmp_path)
    command = program(NANO_PAIR, make_settings(llama_server=stand_in, **settings)).command  # type: ignore[arg-type]
    start = command.index("--gpu-layers")
    assert command[start : command.index("--cache-ram")] == flags.split()


def test_the_environment_is_ours_without_what_would_change_the_server(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_ARG_CTX_SIZE", "64")
    monkeypatch.setenv("llama_arg_temp", "2")
    monkeypatch.setenv("LLAMA_API_KEY", "somebody's")
    monkeypatch.setenv("MTMD_BACKEND_DEVICE", "none")
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("LANG", "C.UTF-8")
    _, key = address_of(serve())
    (child,) = servers()
    expected = {n: v for n, v in os.environ.items() if not n.upper().startswith(("LLAMA_", "MTMD_", "HF_"))}
    expected.setdefault(NO_CUDA_GRAPHS_VARIABLE, OURS)
    assert child.environ() == expected | {"LLAMA_API_KEY": key}
    assert not any(key in part for part in child.cmdline())


def test_the_server_wants_its_key_and_listens_on_this_machine_only(serve: Serve) -> None:
    url, key = address_of(serve())
    with pytest.raises(yg.ServerError, match="401"), yg.load("nano", engine=url, api_key="guessed") as model:
        model.open(RGB).ask("Why?")
    (child,) = servers()
    assert [c.laddr.ip for c in child.net_connections() if c.status == psutil.CONN_LISTEN] == ["127.0.0.1"]
    assert len(key) >= 32


def test_requests_end_and_the_service_is_back_when_the_server_is_killed_or_frozen() -> None:
    faults = script("server_faults")
    for number in (signal.SIGKILL, signal.SIGSTOP):
        wrong, outcomes, back = faults.disturb(number, 2, 8)
        assert wrong == []
        assert outcomes["error: ask again"] > 0
        assert len(back) == 2


def test_an_error_of_a_killed_server_says_what_killed_it(serve: Serve) -> None:
    model = serve(max_tokens=1500, loop_guard=False)
    endless = {"type": "array", "items": {"type": "integer"}, "minItems": 1500}
    with closing(model.open(RGB)) as scene:
        pieces = scene.ask("What is in the picture?", stream=True, json_schema=endless)
        next(pieces)
        servers()[0].kill()
        with pytest.raises(yg.ServerError, match=r"ended in the middle of an answer, by SIGKILL.*ask again") as raised:
            list(pieces)
        assert raised.value.retry
        assert scene.ask("Why?").finish == "stop"


def test_a_server_that_ends_again_and_again_is_given_up(serve: Serve) -> None:
    model = serve(restarts=2)
    supervisor = engine_of(model).supervisor
    for n in (1, 2, 3):
        wait_for(lambda n=n: supervisor.n_starts == n)
        supervisor.wait_ready()
        servers()[0].kill()
    with pytest.raises(yg.EngineError, match=r"ended 3 times in a row without an answer in between, last by SIGKILL"):
        model.open(RGB).ask("Why?")
    assert servers() == []
    assert supervisor.n_starts == 3


def test_an_answer_that_is_hung_up_on_does_not_make_the_count_begin_anew(serve: Serve) -> None:
    supervisor = engine_of(serve(restarts=1)).supervisor
    gone = Hangup()
    gone.hang_up()
    for n in (1, 2):
        wait_for(lambda n=n: supervisor.n_starts == n)
        supervisor.wait_ready()
        with supervisor.using(gone):
            pass
        servers()[0].kill()
    with pytest.raises(yg.EngineError, match="ended 2 times in a row"):
        wait_for(supervisor.check)


def test_answers_between_make_the_count_begin_anew(serve: Serve) -> None:
    model = serve(restarts=1)
    for _ in range(3):
        model.open(RGB).ask("Why?")
        starts = engine_of(model).supervisor.n_starts
        servers()[0].kill()
        wait_for(lambda starts=starts: engine_of(model).supervisor.n_starts > starts)
    assert model.open(RGB).ask("Why?").finish == "stop"


def test_a_port_that_somebody_takes_meanwhile_is_not_used() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = iter([taken.getsockname()[1], free_port()])
        supervisor = supervise(lambda: next(ports))
        try:
            assert f":{taken.getsockname()[1]}/" not in supervisor.wait_ready().url
            assert supervisor.n_starts == 2
        finally:
            supervisor.close()


def test_another_llama_server_on_the_port_is_not_taken_for_ours(serve: Serve) -> None:
    url, _ = address_of(serve())
    port = int(url.removesuffix("/v1").rpartition(":")[2])
    supervisor = supervise(lambda: port)
    try:
        with pytest.raises(yg.EngineError, match="does not start"):
            supervisor.wait_ready()
    finally:
        supervisor.close()


def test_a_model_that_llama_server_cannot_load_is_reported_in_its_words(tmp_path: Path, serve: Serve) -> None:
    files = [Path(shutil.copy(file, tmp_path)) for file in yg.weights.find("nano")]
    model = serve(restarts=1)
    engine = engine_of(model)
    chosen = make_settings(**NANO)
    command = program(check_pair(*files), chosen)
    os.truncate(files[0], 3_000_000)
    supervisor = Supervisor(command, chosen.server)
    with pytest.raises(yg.EngineError, match=r"does not start: it ended with exit code 1(.|\n)*error loading model"):
        supervisor.wait_ready()
    supervisor.close()
    assert len(servers()) == 1  # of the other model
    assert engine.supervisor.wait_ready()


def test_a_model_that_vanishes_is_reported_when_the_server_is_started_again(tmp_path: Path) -> None:
    files = [Path(shutil.copy(file, tmp_path)) for file in yg.weights.find("nano")]
    with yg.load(*files, engine="server", restarts=1, **NANO) as model:
        model.open(RGB).ask("Why?")
        files[0].unlink()
        server = servers()[0]
        server.kill()
        server.wait(SECONDS)  # until then it may still accept the question, and end in the middle of the answer
        with pytest.raises(yg.EngineError, match=r"ended 2 times in a row(.|\n)*No such file"):
            model.open(RGB).ask("Why?")


def test_flags_that_llama_server_does_not_know_are_reported_in_its_words(serve: Serve) -> None:
    with pytest.raises(yg.EngineError, match=r"does not start(.|\n)*invalid argument: --no-such-flag"):
        serve(server_flags=["--no-such-flag"])
    assert servers() == []


def test_a_log_that_cannot_be_written_harms_nothing(serve: Serve) -> None:
    model = serve(server_log=Path("/dev/full"))
    assert model.open(RGB).ask("Why?").finish == "stop"


def test_a_log_is_moved_aside_when_it_is_full(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    code = "for n in range(150_000): print(f'{n:0100}')"
    with closing(ChildProcess([sys.executable, "-c", code], dict(os.environ), log)) as child:
        assert child.wait(SECONDS) == 0
        assert len(child.last_lines) == LAST_LINES
        assert child.last_lines[-1].endswith("149999")
    lines = [line for file in (log.with_suffix(".old.txt"), log) for line in file.read_text().splitlines()]
    assert int(lines[-1]) == 149_999
    assert max(file.stat().st_size for file in tmp_path.iterdir()) < 9 << 20


def test_a_server_that_has_grown_is_replaced_when_it_has_nothing_to_do(serve: Serve) -> None:
    model = serve(max_server_bytes=1)
    supervisor = engine_of(model).supervisor
    for n in range(2, 4):
        assert model.open(RGB).ask("Why?").finish == "stop"
        wait_for(lambda n=n: supervisor.n_starts == n)
    time.sleep(2.5)  # it has not answered anything since, so there is nothing to gain
    assert supervisor.n_starts == 3


def test_a_frozen_server_is_stopped_all_the_same(serve: Serve) -> None:
    model = serve()
    (child,) = servers()
    child.suspend()
    model.close()
    assert not child.is_running()


def test_nothing_is_left_after_closing(serve: Serve, state: Path) -> None:
    model = serve()
    (child,) = servers()
    assert len(list((state / "servers").iterdir())) == 1
    model.close()
    assert not child.is_running()
    assert list((state / "servers").iterdir()) == []
    with pytest.raises(yg.EngineError, match="closed"):
        model.open(RGB)


def test_a_forked_process_does_not_use_its_parents_server(serve: Serve) -> None:
    model = serve()
    scene = model.open(RGB)
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads: what this is about
        pid = os.fork()
    if pid == 0:
        try:
            scene.ask("Why?")
        except yg.EngineError as exc:
            os.write(writing, str(exc).encode())
        model.close()
        os._exit(0)
    os.waitpid(pid, 0)
    assert b"forked" in os.read(reading, 1000)
    os.close(reading)
    os.close(writing)
    assert scene.ask("Why?").finish == "stop"


@pytest.mark.parametrize("binding", ["signal", "pipe"])
@pytest.mark.parametrize("death", ["SIGKILL", "os._exit of a forked worker", "SIGKILL while a forked worker lives on"])
def test_no_server_outlives_its_parent(death: str, binding: str) -> None:
    _, wrong = script("server_parents").check(death, binding)
    assert wrong == ""


def test_a_child_without_its_parent_is_not_even_started() -> None:
    launcher = Path(yg.__file__).with_name("engines") / "llama_server" / "launcher.py"
    with closing(
        ChildProcess(
            [sys.executable, str(launcher), "signal", "1", "/bin/echo", "x"], dict(os.environ), Path("/dev/null")
        )
    ) as child:
        assert child.wait(SECONDS) == 113
        assert list(child.last_lines) == []


def test_what_the_environment_holds_for_a_server_is_a_copy() -> None:
    before = dict(os.environ)
    server_environment("key")["PATH"] = "elsewhere"
    assert dict(os.environ) == before


def test_a_model_that_is_dropped_without_being_closed_ends_its_server() -> None:
    model = yg.load("nano", engine="server", n_ctx=2048, threads=1)
    model.open(RGB).ask("Why?", max_tokens=2)
    (child,) = [p for p in psutil.Process().children(recursive=True) if "llama-server" in p.name()]
    del model
    gc.collect()
    assert psutil.wait_procs([child], timeout=30)[1] == []
