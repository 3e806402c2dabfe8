"""Train the small model: image tokens first, then answers.

    python scripts/nano/train.py --out FOLDER --dense-minutes 30 --text-minutes 90

Needs PyTorch, which the package does not. It can be stopped at any time (Ctrl-C saves first) and resumes from FOLDER,
where it saves its state every few minutes. Minutes count training only, over all runs.
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

from scripts.nano.examples import Shard, Taught
from scripts.nano.export import Checkpoint
from scripts.nano.lessons import corpus
from scripts.nano.losses import Helpers, Words, answer_loss, class_losses, core_losses, depth_loss, mark_losses
from scripts.nano.muon import Optimizer
from scripts.nano.network import Network, Ramp, Sizes, cut_patches, place
from scripts.nano.pool import Pool
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf import prompts
from youtu_gguf.facts import DEFAULT_SYSTEM, VISION_START, LanguageShape, VisionShape

TEXT_BUDGET = 210
SHARES = {
    "ground": 3.0,
    "detect": 2.0,
    "polygon": 3.0,
    "count": 1.5,
    "describe": 3.0,
    "ocr": 3.0,
    "names": 1.6,
    "ask": 2.0,
}
"""How often each kind of lesson is used; others 0.5. Poses have separate batches."""
EMPHASIS = {
    "ocr": 2.5, "ask": 4.0, "describe": 4.0, "count": 2.5, "polygon": 3.0, "pose": 2.0, "names": 3.0,
}  # fmt: skip
"""Weight of a token in lessons that have few significant words among many coordinates; others 1."""
FIRST_POINT = 4.0
"""Weight of the first point of a box or an outline, which chooses the thing; the others follow from it."""
WEIGHTS = {
    "class": 3.0, "words": 0.3, "core": 2.0, "core words": 0.1, "depth": 12.0, "colour word": 1.0, "digit word": 1.5,
    "box words": 2.0, "outline words": 2.0, "kind": 1.0, "digit": 1.0, "middle": 0.5, "points": 1.6, "answer": 3.0,
}  # fmt: skip
TEXT_DENSE_WEIGHT = 0.3
"""Factor in the second stage for the weights of all losses except that of answers."""
FIRST_SHARDS = 60
"""Number of shards to draw before the first step."""
LONGEST_STEP_S = 5.0
"""Most seconds that a step counts as training; the first steps take longer, while PyTorch compiles."""
STEPS_PER_SHARD = 3
"""Steps between two shards of new scenes: each scene is used about three times, with other questions."""
CONTEXT = 4096
"""Context length in the metadata of the exported model."""
PERIOD = 6
"""One step in this number trains on core crops and, in the text stage, one on poses."""


class Trainer:
    """Network, optimiser, and their progress."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out = args, Path(args.out)
        self.out.mkdir(parents=True, exist_ok=True)
        tokenizer_path = self.out / "tokenizer.json"
        if not tokenizer_path.exists():
            Tokenizer.train(corpus()).save(tokenizer_path)
        self.tokenizer = Tokenizer.load(tokenizer_path)
        self.words = Words(self.tokenizer)
        id_of = self.tokenizer.id
        self.axes = (Ramp(id_of("<x_0>"), 2, 2048, 14.0, 2048.0), Ramp(id_of("<y_0>"), 2, 2048, 14.0, 2048.0))
        self.coordinates = range(id_of("<x_0>"), id_of("<x_0>") + 2 * self.axes[0].count)
        ramps = {"x": self.axes[0], "y": self.axes[1], "depth": Ramp(id_of("<custom_1>"), 1, 1000, 25.0, 2000.0)}
        torch.manual_seed(args.seed)
        self.sizes = Sizes()
        self.net = Network(self.sizes, self.words.n_vocab, ramps).bfloat16()
        self.helpers = Helpers(self.sizes.n_embd).bfloat16()
        self.parameters = nn.ModuleDict({"net": self.net, "helpers": self.helpers})
        self.optimizer = Optimizer(self.parameters.named_parameters(), _is_matrix)
        self.opening = torch.tensor(
            self.tokenizer.encode("".join(map(str, (*prompts.opening(DEFAULT_SYSTEM), VISION_START))))
        )
        self.minutes = {"dense": 0.0, "text": 0.0}
        self.drawn = self.steps = 0
        self.stopping = False
        if (self.out / "checkpoint.pt").exists():
            self._load()
        self.see = torch.compile(self.net.see, dynamic=True) if args.compile else self.net.see
        self.think = torch.compile(self.net.think, dynamic=True) if args.compile else self.net.think
        self.rng = np.random.default_rng([args.seed, self.steps])

    def stop(self, *_signal: object) -> None:
        """Finish the current step, save and return."""
        self.stopping = True

    def save(self) -> None:
        """Write the checkpoint, and the weights for the export."""
        self._write("checkpoint.pt", {
            "optimizer": self.optimizer.state_dict(), "minutes": self.minutes, "drawn": self.drawn, "steps": self.steps,
        })  # fmt: skip
        weights = exported(self.net, self.optimizer)
        Checkpoint(weights, *shapes_of(self.sizes), self.tokenizer).save(self.out)

    def _write(self, name: str, value: Any) -> None:
        temporary = self.out / f"{name}.part"
        torch.save(value, temporary)
        temporary.replace(self.out / name)

    def _load(self) -> None:
        saved = torch.load(self.out / "checkpoint.pt", weights_only=True)
        self.optimizer.load_state_dict(saved["optimizer"])
        self.minutes, self.drawn, self.steps = saved["minutes"], saved["drawn"], saved["steps"]

    def run(self) -> None:
        """Train each stage for its minutes."""
        budget = {"dense": self.args.dense_minutes, "text": self.args.text_minutes}
        with Pool(
            self.out / "tokenizer.json", seed=self.args.seed, start=self.drawn, size=self.args.pool,
            workers=self.args.workers,
        ) as pool:  # fmt: skip
            pool.fill(FIRST_SHARDS, FIRST_SHARDS // 8)
            for stage in ("dense", "text"):
                self._stage(stage, budget[stage], pool)
        self.save()

    def _stage(self, stage: str, minutes: float, pool: Pool) -> None:
        seen: dict[str, list[float]] = {}
        saved = reported = time.monotonic()
        while self.minutes[stage] < minutes and not self.stopping:
            began = time.monotonic()
            progress = self.minutes[stage] / minutes
            rate = min(1.0, (self.optimizer.steps + 1) / 60) * min(1.0, (1 - progress) / self.args.cooldown + 0.02)
            try:
                losses = self._step(stage, pool, rate, sigma=2.0 + 8.0 * (1 - progress) if stage == "dense" else 2.0)
            except _NoSceneError:
                losses = {}
            for name, value in losses.items():
                seen.setdefault(name, []).append(value)
            if self.steps % STEPS_PER_SHARD == 0:
                pool.take()
            self.drawn = pool.drawn
            self.steps += 1
            now = time.monotonic()
            self.minutes[stage] += min(now - began, LONGEST_STEP_S) / 60
            if now - reported > 30:
                self._report(stage, seen, now - reported)
                seen, reported = {}, now
            if now - saved > 240:
                self.save()
                saved = now
        self._report(stage, seen, time.monotonic() - reported)

    def _step(self, stage: str, pool: Pool, rate: float, sigma: float) -> dict[str, float]:
        turn = self.steps % PERIOD
        core = turn == 0
        task = "pose" if stage == "text" and turn == PERIOD // 2 else "any"
        shard = pool.pick(self.rng, core=core)
        batch = self.args.batch if stage == "text" or core else self.args.batch * 4 // 3
        chosen = self._choose(shard, batch if task == "any" else batch * 2 // 3, task)
        losses = self.losses(shard, chosen, None if core or stage == "dense" else task, sigma)
        scale = TEXT_DENSE_WEIGHT if stage == "text" else 1.0
        weight = {name: WEIGHTS.get(name, 0.0) * (1 if name == "answer" else scale) for name in losses}
        total = sum(losses[name] * weight[name] for name in losses if weight[name])
        total.backward()
        self.optimizer.step(self.args.muon_rate * rate, self.args.adam_rate * rate)
        return {name: float(value.detach()) for name, value in losses.items()}

    def _choose(self, shard: Shard, count: int, task: str) -> np.ndarray:
        able = np.arange(len(shard.rgb))
        if task == "pose":
            able = np.array([i for i in able if any(t.task == "pose" for t in shard.taught[i])], int)
            if not len(able):
                raise _NoSceneError
        return self.rng.permutation(able)[:count]

    def losses(self, shard: Shard, chosen: np.ndarray, task: str | None, sigma: float) -> dict[str, Tensor]:
        """Return all losses of some scenes of a shard; `task` is None without text."""
        table = self.net.table()
        where = place(self.sizes, shard.rows, shard.cols)
        tokens = self.see(cut_patches(torch.from_numpy(shard.rgb[chosen])).bfloat16(), where)
        picked = [_pick(shard.taught[i], task, self.rng) if task else [] for i in chosen]
        text, positions, group, targets, weights = _pack(
            picked, n_image=tokens.shape[1], n_before=len(self.opening), coordinates=self.coordinates
        )
        before = table[self.opening].expand(len(chosen), -1, -1)
        x = torch.cat([before, tokens, table[text]], dim=1)
        n_before, n_seen = len(self.opening), len(self.opening) + tokens.shape[1]
        hidden = self.think(x, positions, _mask(group))
        image_hidden = hidden[:, n_before:n_seen]
        labels = torch.from_numpy(shard.labels[chosen])
        if shard.core:
            return core_losses(image_hidden, table, self.words, shard, labels)
        losses = class_losses(image_hidden, table, self.words, shard, labels)
        bins = torch.from_numpy(shard.bins[chosen].astype(np.int32))
        losses |= mark_losses(image_hidden, table, self.words, shard, chosen, self.axes)
        losses["depth"] = depth_loss(image_hidden, table, self.words, shard, bins)
        losses |= self.helpers(tokens, shard, torch.from_numpy(chosen), sigma, self.rng)
        if task:
            at = targets >= 0
            logits = hidden[:, n_seen:][at] @ table.T
            losses["answer"], each = answer_loss(logits, targets[at], weights[at], self.axes, 1.5)
            losses |= self._by_task(picked, each)
        return losses

    def _by_task(self, picked: list[list[Taught]], each: Tensor) -> dict[str, Tensor]:
        """Split the tokens' losses by task, for the log."""
        sums: dict[str, list[float]] = {}
        values, offset = each.tolist(), 0
        for lessons in picked:
            for lesson in lessons:
                sums.setdefault(lesson.task, []).extend(values[offset : offset + len(lesson.answer)])
                offset += len(lesson.answer)
        return {f"({task})": torch.tensor(float(np.mean(part))) for task, part in sums.items()}

    def _report(self, stage: str, seen: dict[str, list[float]], seconds: float) -> None:
        parts = " ".join(f"{name} {np.mean(values):.3f}" for name, values in sorted(seen.items()))
        steps = max((len(v) for v in seen.values()), default=0)
        line = f"{stage} {self.minutes[stage]:.1f} min, step {self.steps}, {seconds / max(steps, 1):.2f} s, "
        line += f"{self.drawn} scenes: {parts}"
        print(line, flush=True)
        with (self.out / "train.log").open("a") as log:
            log.write(line + "\n")


class _NoSceneError(Exception):
    """No scene of the shard has a lesson of the task."""


def _is_matrix(name: str, p: nn.Parameter) -> bool:
    return name.startswith("net.") and p.ndim > 1 and "table" not in name and "patch_embd" not in name


def _pick(lessons: list[Taught], task: str, rng: np.random.Generator) -> list[Taught]:
    """Draw lessons until the budget is used up; a pose is not combined with others."""
    if task == "pose":
        return [lesson for lesson in lessons if lesson.task == "pose"]
    able = [lesson for lesson in lessons if lesson.task != "pose"]
    weights = np.array([SHARES.get(lesson.task, 0.5) for lesson in able])
    order = rng.choice(len(able), len(able), replace=False, p=weights / weights.sum())
    chosen: list[Taught] = []
    room = TEXT_BUDGET
    for i in order:
        length = len(able[i].question) + len(able[i].answer)
        if length <= room:
            chosen.append(able[i])
            room -= length
    return chosen


def _pack(picked: list[list[Taught]], n_image: int, n_before: int, coordinates: range) -> tuple[Tensor, ...]:
    """Lay the lessons of each scene side by side.

    Returns text tokens (batch, n), positions and groups of the whole sequences (0 = visible to all later tokens, -1 =
    padding), and for each text token the token that it should predict (-1 = none) with its weight.
    """
    longest = max((sum(len(t.question) + len(t.answer) for t in lessons) for lessons in picked), default=0)
    n = -(-longest // 16) * 16
    start = n_before + n_image
    batch = len(picked)
    text = torch.zeros(batch, n, dtype=torch.long)
    positions = torch.arange(start + n).repeat(batch, 1)
    group = torch.full((batch, start + n), -1, dtype=torch.long)
    group[:, :start] = 0
    targets = torch.full((batch, n), -1, dtype=torch.long)
    weights = torch.zeros(batch, n)
    for row, lessons in enumerate(picked):
        offset = 0
        for number, lesson in enumerate(lessons, 1):
            tokens = lesson.question + lesson.answer
            end, first = offset + len(tokens), offset + len(lesson.question)
            text[row, offset:end] = torch.tensor(tokens)
            positions[row, start + offset : start + end] = start + torch.arange(len(tokens))
            group[row, start + offset : start + end] = number
            targets[row, first - 1 : end - 1] = torch.tensor(lesson.answer)
            weights[row, first - 1 : end - 1] = _weights(lesson, coordinates)
            offset = end
    return text, positions, group, targets, weights


def _weights(lesson: Taught, coordinates: range) -> Tensor:
    """Return the weight of each token of an answer."""
    weights = torch.full((len(lesson.answer),), EMPHASIS.get(lesson.task, 1.0) * len(lesson.answer) ** -0.4)
    in_a_row = 0
    for i, token in enumerate(lesson.answer):
        in_a_row = in_a_row + 1 if token in coordinates else 0
        if 1 <= in_a_row <= 2:
            weights[i] *= FIRST_POINT
    return weights


def _mask(group: Tensor) -> Tensor:
    """Return (batch, 1, n, n): a token sees earlier ones of its own group and of group 0."""
    n = group.shape[1]
    seen = (group[:, None, :] == group[:, :, None]) | (group == 0)[:, None, :]
    return (seen & torch.ones(n, n, dtype=torch.bool).tril())[:, None]


def exported(net: Network, optimizer: Optimizer) -> dict[str, Any]:
    """Return the float32 masters under their GGUF names."""
    full = Network(net.sizes, net.table.plain.shape[0], net.ramps)
    full.load_state_dict({n[len("net.") :]: m for n, m in optimizer.masters.items() if n.startswith("net.")})
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


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, help="folder of checkpoints, weights and the log")
    parser.add_argument("--dense-minutes", type=float, default=40)
    parser.add_argument("--text-minutes", type=float, default=120)
    parser.add_argument("--cooldown", type=float, default=0.65, help="share of a stage over which the rate falls to 0")
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=int, default=300, help="shards of 32 scenes kept in memory")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--muon-rate", type=float, default=0.01)
    parser.add_argument("--adam-rate", type=float, default=2e-3)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    trainer = Trainer(args)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, trainer.stop)
    trainer.run()


if __name__ == "__main__":
    main()
