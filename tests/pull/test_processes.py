"""Pulling in several processes, in killed ones, and on a full disk."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests import loopback_hub as hubs
from tests.loopback_hub import MODEL, PROJECTOR, Hub
from tests.pull.checks import SPEC, arrives, check_pulled, command, environment, whole_files
from youtu_gguf.hub.local import PulledPair
from youtu_gguf.hub.pull import pull


def test_two_threads_that_pull_the_same_fetch_it_once(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    told: list[str] = []
    pulled: list[PulledPair] = []
    threads = [
        threading.Thread(target=lambda: pulled.append(pull(SPEC, tmp_path, notify=told.append))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pulled) == 4
    for pair in pulled:
        check_pulled(pair, contents)
    assert hub.sent(MODEL) == len(contents[MODEL]) and hub.sent(PROJECTOR) == len(contents[PROJECTOR])


def test_two_processes_that_pull_the_same_fetch_it_once(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    hub.troubles = [hubs.stall_at(100)]  # long enough for the other process to come and wait
    processes = [command(hub, tmp_path, "pull", HF_HUB_DOWNLOAD_TIMEOUT="2") for _ in range(2)]
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outcomes
    assert sum("Another process is fetching" in err for _, err in outcomes) >= 1
    assert hub.sent(MODEL) == len(contents[MODEL]) and hub.sent(PROJECTOR) == len(contents[PROJECTOR])
    assert whole_files(tmp_path, contents) == {MODEL, PROJECTOR}


def test_a_killed_pull_leaves_no_half_file_and_is_gone_on_with(
    hub: Hub, contents: dict[str, bytes], tmp_path: Path
) -> None:
    hub.troubles = [hubs.fine, hubs.stall_at(70_000)]
    process = command(hub, tmp_path, "pull")
    assert arrives(process, hub, tmp_path, 70_000)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert MODEL not in whole_files(tmp_path, contents)
    hub.served.clear()
    check_pulled(pull(SPEC, tmp_path), contents)
    assert hub.served == [(MODEL, 70_000, len(contents[MODEL]) - 70_000)]


def test_a_disk_that_fills_up_is_one_clear_error(hub: Hub, contents: dict[str, bytes], tmp_path: Path) -> None:
    """A limit on the length of files stands for a full disk: both fail in the middle of a write."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
        "from youtu_gguf.cli.main import main; sys.argv = ['youtu-gguf', 'pull']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(hub, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Make room or choose another folder" in done.stderr and "Traceback" not in done.stderr
    assert whole_files(tmp_path, contents) == set()
    check_pulled(pull(SPEC, tmp_path), contents)


def test_the_token_goes_along(hub: Hub, tmp_path: Path) -> None:
    process = command(hub, tmp_path, "pull", HF_TOKEN="hf_secret")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert set(hub.tokens) == {"Bearer hf_secret"}
    assert "hf_secret" not in out + err
