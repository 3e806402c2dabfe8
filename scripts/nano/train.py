"""Train the small model: image tokens first, then answers.

    python scripts/nano/train.py --out FOLDER

Needs PyTorch, which the package does not. It can be stopped at any time (Ctrl-C saves first, so does `--minutes`) and
resumes from FOLDER, where it saves its state every few minutes. The schedule counts steps, so it is the same on every
machine, however often it was stopped. A CUDA device is used if there is one.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts._arguments import count, share
from scripts.nano.choice import Known, choose
from scripts.nano.corpus import corpus_lines
from scripts.nano.export import Checkpoint
from scripts.nano.losses import Helpers, Words, answer_loss, class_losses, core_losses, depth_loss, mark_losses
from scripts.nano.muon import Optimizer
from scripts.nano.network import Network, Ramp, Sizes, cut_patches, place
from scripts.nano.packing import pack, visible
from scripts.nano.pool import Pool
from scripts.nano.shards import Kind, Shard, Taught
from scripts.nano.start import started
from scripts.nano.strangers import photographs
from scripts.nano.tokenizer import N_MERGES, Tokenizer
from youtu_gguf import prompts
from youtu_gguf.errors import YoutuError
from youtu_gguf.facts import DEFAULT_SYSTEM, N_BINS, N_COORDINATES, VISION_START, LanguageShape, VisionShape

WEIGHTS = {
    "class": 3.0, "words": 0.3, "core": 4.0, "core words": 0.1, "depth": 14.0, "colour word": 2.0, "digit word": 1.5,
    "number word": 4.0, "word": 6.0, "written": 4.0, "letter": 4.0, "box words": 2.0, "outline words": 2.0,
    "kind": 1.0, "digit": 1.0, "middle": 0.5, "points": 1.6, "answer": 3.0, "strange class": 1.0,
    "strange words": 0.3, "strange depth": 3.0,
}  # fmt: skip
TEXT_DENSE_WEIGHT = 0.4
"""Factor in the second stage for the weights of all losses except that of answers."""
TURNS: dict[str, dict[Kind, float]] = {
    "dense": {"scene": 0.25, "view": 0.03, "core": 0.27, "screen": 0.43, "stranger": 0.02},
    "text": {"scene": 0.62, "view": 0.03, "core": 0.19, "screen": 0.07, "click": 0.07, "stranger": 0.02},
}
"""Share of the steps that each kind of shard has, by stage."""
LONG_SHARES = {"pose": 0.12, "polygon": 0.28}
"""Shares of the steps on scenes that train one task of long answers alone, in the text stage."""
ONLY_SEEN: frozenset[Kind] = frozenset({"view", "core"})
"""Kinds about which nothing is asked."""
BATCH_TOKENS = {"dense": 1536, "text": 1280}
"""Image tokens of a step, in one shard."""
LONG_BATCH = 2 / 3
"""Factor of these in steps on long answers."""
FIRST_SHARDS = 60
"""Number of shards to draw before the first step."""
STEPS_PER_DELIVERY = 3
"""Steps between two deliveries of new shards: each scene is used about three times, with other questions."""
WARM_UP = 60
"""Steps over which the rate rises."""
HELPERS_ALONE = 120
"""Steps in which, after `--start`, helper heads learn and teach the image tokens nothing: a pair has none of them, and
random ones would spoil what it sees."""
COLUMNS = 1.5
"""Standard deviation of the Gaussian target of a coordinate in an answer, in pixels."""
WAVES = {"x": (20.0, 2048.0), "y": (14.0, 2048.0), "depth": (14.0, 2048.0)}
"""Shortest and longest wave of the tables of coordinates, in pixels, and of the depth bins, in bins. They are such that
the tables of nano's first pair, whose waves were others by mistake, can be written with them."""
REPORT_S, SAVE_S = 30, 240
CONTEXT = 4096
"""Context length in the metadata of the exported model."""


class Trainer:
    """Network, optimiser, and their progress."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out, self.device = args, Path(args.out), args.device
        self.out.mkdir(parents=True, exist_ok=True)
        tokenizer_path = self.out / "tokenizer.json"
        if not tokenizer_path.exists():
            Tokenizer.train(corpus_lines(), N_MERGES).save(tokenizer_path)
        self.tokenizer = Tokenizer.load(tokenizer_path)
        self.words = Words(self.tokenizer).to(self.device)
        id_of = self.tokenizer.id
        x_axis, y_axis = (Ramp(id_of(f"<{axis}_0>"), 2, N_COORDINATES, *WAVES[axis]) for axis in "xy")
        self.axes = x_axis, y_axis
        self.known = Known(
            self.tokenizer.coordinates,
            frozenset(self.tokenizer.encode(digit)[0] for digit in "0123456789"),
        )
        ramps = {"x": self.axes[0], "y": self.axes[1], "depth": Ramp(id_of("<custom_1>"), 1, N_BINS, *WAVES["depth"])}
        torch.manual_seed(args.seed)
        self.sizes = Sizes()
        self.dtype = getattr(torch, args.dtype)
        self.net = Network(self.sizes, self.words.n_vocab, ramps)
        if args.start and not (self.out / "checkpoint.pt").exists():
            self._start(args.start)
        self.net.to(self.device, self.dtype)
        self.helpers = Helpers(self.sizes.n_embd, self.words.written_ids).to(self.device, self.dtype)
        self.parameters = nn.ModuleDict({"net": self.net, "helpers": self.helpers})
        self.optimizer = Optimizer(self.parameters.named_parameters(), _is_matrix)
        self.opening = tuple(self.tokenizer.encode("".join(map(str, (*prompts.opening(DEFAULT_SYSTEM), VISION_START)))))
        self.steps = {"dense": 0, "text": 0}
        self.hours = 0.0
        self.drawn = 0
        self.stopping = False
        self._reported = 0
        if (self.out / "checkpoint.pt").exists():
            self._load()
        self.see = torch.compile(self.net.see, dynamic=True) if args.compile else self.net.see
        self.think = torch.compile(self.net.think, dynamic=True) if args.compile else self.net.think
        self.rng = np.random.default_rng([args.seed, sum(self.steps.values())])
        torch.manual_seed(args.seed + sum(self.steps.values()))

    def _start(self, folder: str) -> None:
        ramps = {name: (ramp.ids().numpy(), ramp.waves().numpy()) for name, ramp in self.net.ramps.items()}
        wanted = {name: tuple(value.shape) for name, value in self.net.state_dict().items()}
        weights = started(folder, self.tokenizer, ramps, wanted)
        self.net.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})

    def stop(self, *_signal: object) -> None:
        """Finish the current step, save and return."""
        self.stopping = True

    def save(self) -> None:
        """Write the checkpoint, and the weights for the export."""
        self._write("checkpoint.pt", {
            "optimizer": self.optimizer.state_dict(), "steps": self.steps, "drawn": self.drawn, "hours": self.hours,
        })  # fmt: skip
        weights = exported(self.net, self.optimizer)
        Checkpoint(weights, *shapes_of(self.sizes), self.tokenizer).save(self.out)

    def _write(self, name: str, value: Any) -> None:
        temporary = self.out / f"{name}.part"
        torch.save(value, temporary)
        temporary.replace(self.out / name)

    def _load(self) -> None:
        saved = torch.load(self.out / "checkpoint.pt", weights_only=True, map_location=self.device)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.steps, self.drawn, self.hours = saved["steps"], saved["drawn"], saved["hours"]

    def run(self) -> None:
        """Train each stage for its steps, or until the time is up."""
        began = time.monotonic()
        wanted = {"dense": self.args.dense_steps, "text": self.args.text_steps}
        shares = {kind: max(turns.get(kind, 0.0) for turns in TURNS.values()) for kind in TURNS["text"]}
        with Pool(
            self.out / "tokenizer.json", seed=self.args.seed, start=self.drawn, n_tokens=self.args.pool,
            workers=self.args.workers, shares=shares,
        ) as pool:  # fmt: skip
            self._say(f"{len(photographs())} photographs to learn from, {self.args.dtype} on {self.device}")
            pool.fill(FIRST_SHARDS)
            for stage, n_steps in wanted.items():
                self._stage(stage, n_steps, pool, began + 60 * self.args.minutes)
        self.save()

    def _stage(self, stage: str, n_steps: int, pool: Pool, end: float) -> None:
        seen: dict[str, list[float]] = {}
        saved = reported = last = time.monotonic()
        self._reported = self.steps[stage]
        while self.steps[stage] < n_steps and not self.stopping and last < end:
            progress = self.steps[stage] / n_steps
            rate = min(1.0, (self.optimizer.steps + 1) / WARM_UP)
            rate *= min(1.0, (1 - progress) / self.args.cooldown + 0.02)
            losses = self._step(stage, pool, rate, sigma=2.0 + 8.0 * (1 - progress) if stage == "dense" else 2.0)
            for name, value in losses.items():
                seen.setdefault(name, []).append(value)
            self.steps[stage] += 1
            if self.steps[stage] % STEPS_PER_DELIVERY == 0:
                pool.take()
            self.drawn = pool.drawn
            now = time.monotonic()
            self.hours += (now - last) / 3600
            last = now
            if now - reported > REPORT_S:
                self._report(stage, seen, now - reported)
                seen, reported = {}, now
            if now - saved > SAVE_S:
                self.save()
                saved = now
        self._report(stage, seen, time.monotonic() - reported)

    def _step(self, stage: str, pool: Pool, rate: float, sigma: float) -> dict[str, float]:
        kinds = TURNS[stage]
        kind = list(kinds)[int(self.rng.choice(len(kinds), p=np.array([*kinds.values()])))]
        shard = pool.pick(self.rng, kind)
        only = self._long() if stage == "text" and kind == "scene" else None
        asks = stage == "text" and kind not in ONLY_SEEN
        chosen = self._choose(shard, int(BATCH_TOKENS[stage] * (LONG_BATCH if only else 1)), only)
        if not len(chosen):
            return {}
        picked = [choose(shard.taught[i], only, self.rng) if asks else [] for i in chosen]
        losses = self.losses(shard, chosen, picked, sigma)
        scale = TEXT_DENSE_WEIGHT if stage == "text" else 1.0
        weight = {name: WEIGHTS.get(name, 0.0) * (1 if name == "answer" else scale) for name in losses}
        total = sum(losses[name] * weight[name] for name in losses if weight[name])
        total.backward()
        self.optimizer.step(self.args.muon_rate * rate, self.args.adam_rate * rate)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _long(self) -> str | None:
        """Draw the task that a step on scenes trains alone; None = all but poses."""
        tasks, shares = [*LONG_SHARES, None], [*LONG_SHARES.values()]
        return tasks[int(self.rng.choice(len(tasks), p=[*shares, 1.0 - sum(shares)]))]

    def _choose(self, shard: Shard, n_tokens: int, only: str | None) -> np.ndarray:
        able = np.arange(len(shard.rgb))
        if only:
            able = np.array([i for i in able if any(t.task == only for t in shard.taught[i])], int)
        return self.rng.permutation(able)[: max(1, n_tokens // (shard.rows * shard.cols))]

    def losses(self, shard: Shard, chosen: np.ndarray, picked: list[list[Taught]], sigma: float) -> dict[str, Tensor]:
        """Return all losses of some images of a shard, and of the lessons `picked` for each."""
        device, table = self.device, self.net.table()
        where = place(self.sizes, shard.rows, shard.cols, device)
        tokens = self.see(cut_patches(torch.from_numpy(shard.rgb[chosen]).to(device)).to(self.dtype), where)
        opening = torch.tensor(shard.opening or self.opening, device=device)
        n_before, n_seen = len(opening), len(opening) + tokens.shape[1]
        packed = pack(picked, n_seen, self.known, self.rng)
        text, positions, group, targets, weights = (part.to(device) for part in packed)
        before = table[opening].expand(len(chosen), -1, -1)
        hidden = self.think(torch.cat([before, tokens, table[text]], dim=1), positions, visible(group))
        image_hidden = hidden[:, n_before:n_seen]
        losses = self._dense(shard, chosen, table, image_hidden)
        if shard.kind not in ("core", "view", "stranger"):
            losses |= mark_losses(image_hidden, table, self.words, shard, chosen, self.axes)
            helped = tokens.detach() if self._helpers_are_new() else tokens
            losses |= self.helpers(helped, shard, torch.from_numpy(chosen), sigma, self.rng)
        at = targets >= 0
        if at.any():
            logits = hidden[:, n_seen:][at] @ table.T
            losses["answer"], each = answer_loss(logits, targets[at], weights[at], self.axes, COLUMNS)
            losses |= _by_task(picked, each)
        return losses

    def _helpers_are_new(self) -> bool:
        return bool(self.args.start) and sum(self.steps.values()) < HELPERS_ALONE

    def _dense(self, shard: Shard, chosen: np.ndarray, table: Tensor, hidden: Tensor) -> dict[str, Tensor]:
        """Return the losses of maps, as far as the kind of the shard has them."""
        if shard.kind in ("screen", "click"):
            return {}
        labels = torch.from_numpy(shard.labels[chosen]).to(self.device)
        if shard.kind == "core":
            return core_losses(hidden, table, self.words, shard, labels)
        bins = torch.from_numpy(shard.bins[chosen].astype(np.int32)).to(self.device)
        depth = depth_loss(hidden, table, self.words, shard, bins)
        losses = class_losses(hidden, table, self.words, shard, labels)
        if shard.kind == "stranger":
            return {f"strange {name}": value for name, value in (losses | {"depth": depth}).items()}
        return losses | {"depth": depth}

    def _report(self, stage: str, seen: dict[str, list[float]], seconds: float) -> None:
        parts = " ".join(f"{name} {np.mean(values):.3f}" for name, values in sorted(seen.items()))
        n_steps = self.steps[stage] - self._reported
        self._reported = self.steps[stage]
        line = f"{stage} {self.hours:.2f} h, step {self.steps[stage]}, {seconds / max(n_steps, 1):.2f} s, "
        self._say(line + f"{self.drawn} shards: {parts}")

    def _say(self, line: str) -> None:
        print(line, flush=True)
        with (self.out / "train.log").open("a") as log:
            log.write(line + "\n")


def _is_matrix(name: str, p: nn.Parameter) -> bool:
    return name.startswith("net.") and p.ndim > 1 and "table" not in name and "patch_embd" not in name


def _by_task(picked: list[list[Taught]], each: Tensor) -> dict[str, Tensor]:
    """Split the tokens' losses by task, for the log."""
    sums: dict[str, list[float]] = {}
    values, offset = each.tolist(), 0
    for lessons in picked:
        for lesson in lessons:
            sums.setdefault(lesson.task, []).extend(values[offset : offset + len(lesson.answer)])
            offset += len(lesson.answer)
    return {f"({task})": torch.tensor(float(np.mean(part))) for task, part in sums.items()}


def exported(net: Network, optimizer: Optimizer) -> dict[str, Any]:
    """Return the float32 masters under their GGUF names."""
    full = Network(net.sizes, net.table.plain.shape[0], net.ramps)
    full.load_state_dict({n[len("net.") :]: m.cpu() for n, m in optimizer.masters.items() if n.startswith("net.")})
    return full.named_weights()


def network_of(checkpoint: Checkpoint) -> tuple[Network, Sizes]:
    """Return the float32 network of a checkpoint; its table is used as a whole, without ramps."""
    language, vision = asdict(checkpoint.language), asdict(checkpoint.vision)
    names = {field.name for field in fields(Sizes)}
    own = {name: value for name, value in language.items() if name in names}
    own |= {f"vision_{name}": value for name, value in vision.items() if f"vision_{name}" in names}
    sizes = Sizes(**own, full_layers=vision["full_layers"], window_px=vision["window_px"])
    net = Network(sizes, len(checkpoint.tokenizer.texts), {})
    weights = {name: torch.from_numpy(value) for name, value in checkpoint.weights.items()}
    weights["table.plain"] = weights.pop("token_embd.weight")
    net.load_state_dict(weights)
    return net, sizes


def shapes_of(sizes: Sizes) -> tuple[LanguageShape, VisionShape]:
    """Return the shapes in the form that `export.py` needs."""
    own = asdict(sizes)
    vision = {name: own.pop(name) for name in ("full_layers", "window_px")}
    vision |= {name.removeprefix("vision_"): own.pop(name) for name in list(own) if name.startswith("vision_")}
    return LanguageShape(**own, n_ctx=CONTEXT), VisionShape(**vision)


def faster_dtype(device: str) -> str:
    """Return in which type a product of usual size takes less time; many processors only store bfloat16."""
    seconds = {}
    for name in ("bfloat16", "float32"):
        left, right = (
            torch.ones(*shape, dtype=getattr(torch, name), device=device) for shape in ((6144, 192), (192, 640))
        )
        for turn in range(12):
            if turn == 2:
                began = time.perf_counter()
            float((left @ right)[0, 0])
        seconds[name] = time.perf_counter() - began
    return min(seconds, key=lambda name: seconds[name])


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder of checkpoints, weights and the log")
    parser.add_argument("--start", metavar="FOLDER", help="begin with the weights of this pair, not with random ones")
    parser.add_argument("--dense-steps", type=int, default=2000)
    parser.add_argument("--text-steps", type=int, default=9000)
    parser.add_argument("--minutes", type=float, default=np.inf, help="stop after this time; later runs go on")
    parser.add_argument("--cooldown", type=share, default=0.65, help="share of a stage over which the rate falls to 0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=count, default=600_000, help="image tokens of shards kept in memory")
    parser.add_argument("--workers", type=count, default=1)
    parser.add_argument("--threads", type=count, default=os.cpu_count())
    parser.add_argument("--muon-rate", type=float, default=0.01)
    parser.add_argument("--adam-rate", type=float, default=2e-3)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), help="the faster one here, if not given")
    parser.add_argument("--compile", action="store_true", help="takes minutes, and gains on some processors")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.dtype = args.dtype or faster_dtype(args.device)
    try:
        trainer = Trainer(args)
    except (YoutuError, OSError) as exc:
        sys.exit(str(exc))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, trainer.stop)
    trainer.run()


if __name__ == "__main__":
    main()
