#!/usr/bin/env python3
"""Exported files compared with the PyTorch network that they come from: greedy answers and states on unseen scenes.

    python scripts/soak/nano_parity.py CHECKPOINT_FOLDER --scenes 100

Needs PyTorch in addition to the package.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import youtu_gguf as yg
from scripts._arguments import count
from scripts.nano.examples import MAX_TOKENS
from scripts.nano.export import Checkpoint, export
from scripts.nano.network import cut_patches, place
from scripts.nano.scenes import TEST_SEEDS, Scene, draw, referring
from scripts.nano.train import network_of
from tests.reference.compare import least_cosine
from youtu_gguf import prompts
from youtu_gguf.facts import DEFAULT_SYSTEM, VISION_END, VISION_START
from youtu_gguf.images.load import prepare

MAX_ANSWER = 160
LEAST_COSINE, LEAST_SAME_Q8 = 0.9999, 0.97


class Outputs(NamedTuple):
    """The states and answers of one model for a scene; for the network also the prefix embeddings (1, n, width)."""

    hidden: Any
    answers: dict[str, str]
    prefix: torch.Tensor | None = None


def questions(scene: Scene) -> dict[str, str]:
    """Return a question of every kind."""
    found = {
        "describe": prompts.ENGLISH.describe,
        "count": prompts.ENGLISH.count.format("object"),
        "ocr": prompts.ENGLISH.ocr,
    }
    found["detect"] = prompts.ENGLISH.detect_all
    phrases = referring(scene)
    if phrases:
        phrase = phrases[scene.seed % len(phrases)][0]
        found |= {"ground": prompts.ENGLISH.ground.format(phrase), "polygon": prompts.ENGLISH.polygon.format(phrase)}
    return found


class Reference:
    """The network in float32, decoded greedily with a whole forward pass for every token."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.tokenizer = checkpoint.tokenizer
        self.net, self.sizes = network_of(checkpoint)
        self.table = self.net.table().detach()
        self.opening = self.tokenizer.encode("".join(map(str, (*prompts.opening(DEFAULT_SYSTEM), VISION_START))))

    @torch.inference_mode()
    def outputs_of(self, scene: Scene) -> Outputs:
        """Answer all questions about a scene."""
        prepared, _ = prepare(scene.rgb, MAX_TOKENS)
        grid = prepared.grid
        where = place(self.sizes, grid.rows, grid.cols)
        seen = self.net.see(cut_patches(torch.from_numpy(prepared.rgb.copy())[None]), where)
        prefix = torch.cat([self.table[self.opening][None], seen], dim=1)
        hidden = self._think(prefix)[0, len(self.opening) :]
        answers = {kind: self._answer(prefix, text) for kind, text in questions(scene).items()}
        return Outputs(hidden.numpy(), answers, prefix)

    @torch.inference_mode()
    def preference(self, prefix: torch.Tensor, question: str, own: str, other: str) -> float:
        """Return how many times likelier the network's token is than the other one, where two answers first differ."""
        end = [self.tokenizer.id("<|end_of_text|>")]
        a, b = (self.tokenizer.encode(text) + end for text in (own, other))
        at = next(i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
        tokens = self.tokenizer.encode("".join((VISION_END, *prompts.closing(question)))) + a[:at]
        logits = self._think(torch.cat([prefix, self.table[tokens][None]], dim=1))[0, -1] @ self.table.T
        return float((logits[a[at]] - logits[b[at]]).exp())

    def _answer(self, prefix: torch.Tensor, question: str) -> str:
        end = self.tokenizer.id("<|end_of_text|>")
        tokens = self.tokenizer.encode("".join((VISION_END, *prompts.closing(question))))
        answer: list[int] = []
        while len(answer) < MAX_ANSWER:
            x = torch.cat([prefix, self.table[tokens + answer][None]], dim=1)
            best = int((self._think(x)[0, -1] @ self.table.T).argmax())
            if best == end:
                break
            answer.append(best)
        return self.tokenizer.decode(answer)

    def _think(self, x: torch.Tensor) -> torch.Tensor:
        n = x.shape[1]
        mask = torch.ones(n, n, dtype=torch.bool).tril()[None, None]
        return self.net.think(x, torch.arange(n)[None], mask)


def outputs_of(model: yg.Model, scene: Scene) -> Outputs:
    """Ask the engine the same questions."""
    with closing(model.open(scene.rgb)) as opened:
        hidden = opened.patches().hidden
        answers = {kind: opened.ask(text).raw for kind, text in questions(scene).items()}
    return Outputs(hidden.reshape(-1, hidden.shape[-1]), answers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--scenes", type=count, default=100)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    checkpoint = Checkpoint.load(args.checkpoint)
    reference = Reference(checkpoint)
    scenes = [draw(TEST_SEEDS + args.seed * 1_000_000 + i) for i in range(args.scenes)]
    expected = [reference.outputs_of(scene) for scene in scenes]
    failed = False
    for quant in ("F32", "Q8_0"):
        with tempfile.TemporaryDirectory() as folder:
            path, _ = export(checkpoint, folder, quant)
            with yg.load(path, temperature=0.0, repeat_penalty=1.0, max_tokens=MAX_ANSWER) as model:
                found = [outputs_of(model, scene) for scene in scenes]
        cosine = min(least_cosine(a.hidden, b.hidden) for a, b in zip(found, expected, strict=True))
        same: dict[str, list[bool]] = {}
        for a, b in zip(found, expected, strict=True):
            for kind, answer in a.answers.items():
                same.setdefault(kind, []).append(answer == b.answers[kind])
        differing = [
            reference.preference(b.prefix, questions(scene)[kind], b.answers[kind], answer)
            for scene, a, b in zip(scenes, found, expected, strict=True)
            for kind, answer in a.answers.items()
            if answer != b.answers[kind] and b.prefix is not None
        ]
        every = [equal for values in same.values() for equal in values]
        print(
            f"{quant:5} least cosine {cosine:.7f}, answers identical {sum(every)} of {len(every)}: {np.mean(every):.1%}"
        )
        print("      " + ", ".join(f"{kind} {np.mean(values):.0%}" for kind, values in same.items()))
        if differing:
            print(
                "      where answers first differ, the network's token is likelier than the file's by a factor of "
                f"{np.median(differing):.3f} (median), {max(differing):.3f} (most)"
            )
        failed |= (
            (cosine < LEAST_COSINE or not all(every)) if quant == "F32" else sum(every) < LEAST_SAME_Q8 * len(every)
        )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
