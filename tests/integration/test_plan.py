"""What `plan` says of machines of all sizes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import youtu_gguf as yg
from tests.conftest import Pair
from youtu_gguf.cli.main import app
from youtu_gguf.engines.native.llama.devices import devices, features, library
from youtu_gguf.engines.native.llama.placement import Device
from youtu_gguf.machine import UsableMemory

SPEC = "tencent/Youtu-VL-4B-Instruct-GGUF:Q8_0"
GB = 10**9


@pytest.fixture(autouse=True)
def nothing_pulled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("YOUTU_GGUF_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine whose free memory a test sets."""
    box = SimpleNamespace(free=16 * GB)
    monkeypatch.setattr("youtu_gguf.machine.usable_memory", lambda: UsableMemory(box.free, box.free))
    return box


def test_a_model_that_is_not_there_is_planned_from_what_is_documented(machine: SimpleNamespace) -> None:
    for plan in (yg.weights.plan(), yg.weights.plan(SPEC)):
        assert plan.name == SPEC
        assert plan.sizes_from == "documentation"
        assert plan.fits
        assert plan.wanted.memory.weights == 5_211_323_488  # the published file
        assert plan.wanted.memory.context == 16_384 * 46_080  # facts: 46 KB a token
        assert 7.5 * GB < plan.wanted.memory.total < 8.5 * GB


def test_a_model_that_the_environment_names_wrongly_is_not_replaced_by_another(
    machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "no/such/model.gguf")
    with pytest.raises(yg.ModelFileError, match=r"no/such/model\.gguf does not exist"):
        yg.weights.plan()
    monkeypatch.setenv("YOUTU_GGUF_MODEL", "tencent/Youtu-VL-4B-Instruct-GGUF:F16")
    assert yg.weights.plan().wanted.encoding == "F16"


def test_another_model_that_is_not_there_is_an_error(machine: SimpleNamespace) -> None:
    for wanted in ("somebody/else:Q8_0", "tencent/Youtu-VL-4B-Instruct-GGUF:Q3_K_M"):
        with pytest.raises(yg.ModelFileError, match="HF_HUB_OFFLINE is set"):
            yg.weights.plan(wanted)
    with pytest.raises(yg.ModelFileError, match=r"does not exist\. Check the path"):
        yg.weights.plan("no/such.gguf")


@pytest.mark.parametrize(
    ("free", "encoding", "slim", "limits"),
    [
        (10.0, "Q8_0", False, (16_384, 2048)),
        (8.6, "Q8_0", True, (16_384, 2048)),
        (7.5, "Q6_K", True, (16_384, 2048)),
        (7.0, "Q5_K_M", True, (16_384, 2048)),
        (6.4, "Q4_K_M", True, (16_384, 2048)),
        (5.8, "Q4_K_M", True, (8192, 1024)),
        (5.2, "Q4_K_M", True, (4096, 512)),
    ],
)
def test_what_answers_lose_least_by_is_recommended(
    free: float, encoding: str, slim: bool, limits: tuple[int, int], machine: SimpleNamespace
) -> None:
    machine.free = int(free * GB)
    plan = yg.weights.plan(SPEC)
    best = plan.recommended
    assert best is not None
    assert (best.encoding, best.slim, (best.n_ctx, best.image_max_tokens)) == (encoding, slim, limits)
    assert best.memory.total <= 0.9 * machine.free
    assert plan.fits == (best == plan.wanted)


def test_a_machine_that_is_too_small_for_anything_is_told(machine: SimpleNamespace) -> None:
    machine.free = 2 * GB
    assert yg.weights.plan(SPEC).recommended is None
    outcome = CliRunner().invoke(app, ["plan", "-m", SPEC])
    assert outcome.exit_code == 4
    assert "Nothing smaller fits either" in outcome.stdout
    assert outcome.stderr.startswith("error: this model needs ")
    assert " GB; 2.00 GB are free" in outcome.stderr


def test_files_on_disk_are_planned_by_their_sizes(machine: SimpleNamespace, tiny_pair: Pair) -> None:
    model, projector = tiny_pair
    plan = yg.weights.plan(model, n_ctx=512)
    assert (plan.name, plan.sizes_from, plan.wanted.encoding) == (str(model), "disk", "Q8_0")
    memory = plan.wanted.memory
    assert (memory.weights, memory.projector) == (model.stat().st_size, projector.stat().st_size)
    assert memory.context == 512 * 3 * (32 + 16) * 2  # layers, latent and rope values, two bytes each
    assert memory.total == sum(asdict(memory).values())


def test_more_of_anything_takes_more(machine: SimpleNamespace) -> None:
    first = yg.weights.plan(SPEC, n_ctx=4096, image_max_tokens=512).wanted.memory
    assert yg.weights.plan(SPEC, n_ctx=8192, image_max_tokens=512).wanted.memory.context == 2 * first.context
    larger = yg.weights.plan(SPEC, n_ctx=4096, image_max_tokens=2048).wanted.memory
    assert larger.vision > 2 * first.vision
    with_mtmd = yg.weights.plan(SPEC, n_ctx=4096, image_max_tokens=2048, vision="mtmd").wanted.memory
    assert with_mtmd.vision > 1.5 * larger.vision
    assert yg.weights.plan(SPEC, n_ctx=4096, image_max_tokens=512, n_batch=1024).wanted.memory.compute > first.compute
    smaller = yg.weights.plan(SPEC, encoding="q4_k_m", n_ctx=4096, image_max_tokens=512).wanted
    assert smaller.encoding == "Q4_K_M"
    assert smaller.memory.weights == pytest.approx(3.0878 * GB, rel=0.01)  # as quantize writes it


def test_the_estimate_of_a_slim_file_is_that_of_the_file(
    machine: SimpleNamespace, tiny_pair: Pair, tmp_path: Path
) -> None:
    done = yg.weights.slim(tiny_pair[0], tmp_path / "Tiny-slim-Q8_0.gguf")
    plan = yg.weights.plan(done.path, tiny_pair[1])
    assert plan.wanted.slim
    assert plan.wanted.memory.weights == done.bytes_after


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoding": "Q9"}, "expected an encoding among F32, F16"),
        ({"encoding": 5}, "expected an encoding among F32, F16"),
        ({"n_ctx": 10**6}, "n_ctx must be at most"),
        ({"n_ctx": 0}, "n_ctx must be a whole number"),
        ({"context": 3}, "unknown setting context"),
    ],
)
def test_what_cannot_be_planned_with_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(yg.InputError, match=message):
        yg.weights.plan("nano", **settings)  # type: ignore[arg-type]


def test_layers_are_counted_that_fit_on_a_gpu(machine: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    cards = [Device("CUDA0", "a card", "GPU", free * GB, 24 * GB) for free in (1, 6, 20)]
    plans = []
    for card in cards:
        monkeypatch.setattr("youtu_gguf.engines.native.llama.devices.devices", lambda card=card: (card,))
        plans.append(yg.weights.plan(SPEC))
    assert [plan.placement.n_gpu_layers for plan in plans if plan.gpu_memory > plan.gpus[0].free] == [0, 25]
    assert plans[2].placement.n_gpu_layers == plans[2].placement.n_layers == 41
    text = CliRunner().invoke(app, ["plan"]).stdout
    assert "CUDA0 (a card): 20.00 GB of 24.00 GB free" in text
    assert "with all layers on a GPU it takes 7.68 GB there; where it runs: CUDA0\n" in text
    monkeypatch.setattr("youtu_gguf.engines.native.llama.devices.devices", lambda: (cards[1],))
    assert "where it runs: CUDA0 25 of 41 layers\n" in CliRunner().invoke(app, ["plan"]).stdout
    assert "where it runs: CPU\n" in CliRunner().invoke(app, ["plan", "--device", "cpu"]).stdout
    assert "device must be among cpu, CUDA0" in CliRunner().invoke(app, ["plan", "--device", "CUDA1"]).stderr


def test_the_command_prints_what_the_function_returns(machine: SimpleNamespace) -> None:
    text = CliRunner().invoke(app, ["plan"]).stdout
    assert "sizes as documented" in text
    assert "It fits." in text
    told = json.loads(CliRunner().invoke(app, ["plan", "--json"]).stdout)
    assert told["totals"]["wanted"] == yg.weights.plan().wanted.memory.total
    assert told["fits"] is True
    machine.free = int(6.4 * GB)
    outcome = CliRunner().invoke(app, ["plan"])
    assert outcome.exit_code == 4
    assert "To get there: `youtu-gguf slim`, then `youtu-gguf quantize ... Q4_K_M`." in outcome.stderr


def test_the_model_is_named_in_one_of_two_ways(machine: SimpleNamespace) -> None:
    named, given = (CliRunner().invoke(app, ["plan", *words]) for words in (["nano"], ["-m", "nano"]))
    assert named.stdout == given.stdout != ""
    both = CliRunner().invoke(app, ["plan", "nano", "-m", "nano"])
    assert (both.exit_code, both.stdout) == (2, "")
    assert "expected one model; got 'nano' and --model 'nano'" in both.stderr


def test_llama_cpp_says_what_it_computes_on() -> None:
    assert "CPU" in {device.kind for device in devices()}
    assert library().is_file()
    assert features()
