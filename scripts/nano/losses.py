"""The training losses: dense losses at image tokens, next-token loss on answers, and losses of helper heads.

Dense: docs/facts.md, "Dense maps". The report's loss is independent sigmoids, mean over positives plus mean over the
hardest negatives. A softmax over the classes, on scores upsampled like in the decoder, is mixed in because it learns
edges inside a token. The helpers are separate heads on the image tokens and are not exported: they train the tower for
boxes, outlines, joints and digits, long before the language model can ask for these.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - its usual name

from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.network import N_WAVES, Ramp
from scripts.nano.scenes import CLASSES, COLOURS, THINGS
from scripts.nano.screen_words import ICONS, LETTERS
from scripts.nano.screen_words import WORDS as WRITTEN
from scripts.nano.shards import Shard
from scripts.nano.targets import LABEL_PX, LETTER_PX, N_POINTS, TOKEN_PX, numbered
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.facts import N_BINS

HARD_NEGATIVES = 16
SAMPLED_TOKENS, SAMPLED_CELLS = 12, 64
"""Image tokens and depth cells of each scene that the losses over many columns sample."""
LEAST_SAMPLED_TOKENS, LEAST_SAMPLED_CELLS = 192, 1024
"""The same for a whole batch, at least: large scenes come few at a time."""
LANGUAGE_SHARES = (0.65, 0.35)
"""Weights of English and Chinese names in the softmax over the classes."""
BIN_SIGMA, MARK_SIGMA = 5.0, 2.0
BLOCK_ROWS = 128
"""Rows of logits processed at a time."""
SAMPLED_MARKS, SAMPLED_WORDS = 400, 200
"""Image tokens of a batch whose boxes and outlines are used, and whose words are."""
NEAR_MARKS, NEAR_PX = 4, 12.0
"""Number of points of its thing that an image token names: the nearest ones; farther ones count less."""
MIN_SHARE = 4 / 16
"""Share of a token's label cells from which on a class is a positive."""
THING_WEIGHT = 2.0
"""Weight of a pixel of a thing relative to one of the ground, since things are few and small."""
LATER_WEIGHT = 3.0
"""Weight of the second and later things of a kind relative to the first, since most are first."""
MOST_POINTS = 6000
"""Points of a batch that helpers use."""
CELLS = TOKEN_PX // LETTER_PX
"""Cells along each side of an image token whose letters it is asked for."""
SEEN_PX = 1344
"""Upper limit of the pixel coordinates of helpers."""


class Words:
    """Token ids of everything that dense losses score.

    Attributes:
        class_ids: (m,) tokens of the names of the classes, in English and Chinese.
        mean: (m, 2 K) their shares in the names, the English ones first.
        colour_ids: (n, forms) tokens that stand for each colour.
        written_ids: (k,) first tokens of what elements of screens are called, in ascending order.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        both = (*CLASSES, *(CHINESE_NAMES[name] for name in CLASSES))
        names = [tokenizer.encode(name) for name in both]
        self.class_ids = torch.tensor(sorted({i for ids in names for i in ids}))
        column = {int(token): i for i, token in enumerate(self.class_ids)}
        self.mean = torch.zeros(len(self.class_ids), len(both))
        for k, ids in enumerate(names):
            for token in ids:
                self.mean[column[token], k] += 1 / len(ids)
        self.class_weights = torch.tensor([THING_WEIGHT if name in THINGS else 1.0 for name in CLASSES])
        colours = [[tokenizer.encode(form)[-1] for form in (name, f" {name}", CHINESE_NAMES[name])] for name in COLOURS]
        self.colour_ids = torch.tensor(colours)
        written = {tokenizer.encode(word)[0] for lang in WRITTEN for word in (*WRITTEN[lang], *ICONS[lang])}
        self.written_ids = torch.tensor(sorted(written))
        self.digit_ids = torch.tensor([tokenizer.encode(digit)[0] for digit in "0123456789"])
        self.core_ids = torch.tensor([tokenizer.id("<BG>"), tokenizer.id("<FG>")])
        self.bin_ids = torch.arange(N_BINS) + tokenizer.id("<custom_1>")
        coordinates = torch.tensor(tokenizer.coordinates)
        self.of_other_losses = torch.cat([self.bin_ids, self.colour_ids.flatten(), self.digit_ids, coordinates])
        self.n_vocab = len(tokenizer.texts)

    def to(self, device: str) -> Words:
        """Move the ids to a device."""
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(self, name, value.to(device))
        return self


def upsampled(scores: Tensor, rows: int, cols: int, factor: int) -> Tensor:
    """Upsample (batch, rows cols, k) to (batch, k, factor rows, factor cols) like the decoder."""
    maps = scores.transpose(1, 2).unflatten(2, (rows, cols))
    return F.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)


def class_losses(hidden: Tensor, table: Tensor, words: Words, shard: Shard, labels: Tensor) -> dict[str, Tensor]:
    """Softmax over the classes at label resolution, and sigmoids over the vocabulary at sampled tokens."""
    scores = (hidden @ table[words.class_ids].T).float() @ words.mean
    fine = upsampled(scores, shard.rows, shard.cols, TOKEN_PX // LABEL_PX).split(len(CLASSES), dim=1)
    if shard.kind == "stranger":
        none = torch.zeros(*hidden.shape[:2], len(words.class_ids), dtype=torch.bool, device=hidden.device)
        alike = sum(
            -share * F.log_softmax(part, dim=1).mean() for share, part in zip(LANGUAGE_SHARES, fine, strict=True)
        )
        return {"class": alike, "words": _sigmoids(hidden, table, words, words.class_ids, none)}
    target = labels.long()
    softmax = sum(
        share * F.cross_entropy(part, target, words.class_weights)
        for share, part in zip(LANGUAGE_SHARES, fine, strict=True)
    )
    counts = F.one_hot(target, len(CLASSES)).float()
    share = counts.view(len(labels), shard.rows, 4, shard.cols, 4, -1).mean(dim=(2, 4)).flatten(1, 2)
    positive = ((share >= MIN_SHARE).float().repeat(1, 1, 2) @ (words.mean > 0).float().T) > 0
    return {"class": softmax, "words": _sigmoids(hidden, table, words, words.class_ids, positive)}


def core_losses(hidden: Tensor, table: Tensor, words: Words, shard: Shard, labels: Tensor) -> dict[str, Tensor]:
    """Return the same losses for the two words of a core target."""
    scores = (hidden @ table[words.core_ids].T).float()
    fine = upsampled(scores, shard.rows, shard.cols, TOKEN_PX // LABEL_PX)
    softmax = F.cross_entropy(fine, labels.long())
    share = labels.float().view(len(labels), shard.rows, 4, shard.cols, 4).mean(dim=(2, 4)).flatten(1)
    positive = torch.stack([share <= 1 - MIN_SHARE, share >= MIN_SHARE], dim=-1)
    return {"core": softmax, "core words": _sigmoids(hidden, table, words, words.core_ids, positive)}


def _sigmoids(hidden: Tensor, table: Tensor, words: Words, ids: Tensor, positive: Tensor) -> Tensor:
    """Mean over positives plus mean over the hardest negatives, at sampled image tokens."""
    batch, n, _ = hidden.shape
    pick = torch.randint(n, (batch, max(SAMPLED_TOKENS, LEAST_SAMPLED_TOKENS // batch)), device=hidden.device)
    at = torch.arange(batch, device=hidden.device)[:, None], pick
    logits = (hidden[at] @ table.T).float().flatten(0, 1)
    wanted = positive[at].flatten(0, 1)
    of_ids = logits[:, ids]
    on = F.softplus(-of_ids)[wanted].mean() if wanted.any() else logits.new_zeros(())
    negatives = logits.clone()
    negatives[:, ids] = of_ids.masked_fill(wanted, -torch.inf)
    negatives[:, words.of_other_losses] = -torch.inf
    return on + F.softplus(negatives.topk(HARD_NEGATIVES, dim=1).values).mean()


def mark_losses(
    hidden: Tensor, table: Tensor, words: Words, shard: Shard, chosen: npt.NDArray[np.intp], axes: tuple[Ramp, Ramp]
) -> dict[str, Tensor]:
    """Softmax over the words for what a token's thing looks like.

    These are the words written on it, its colour, on a sign the digit on the token's side, of other things which one of
    its kind it is (a count is the largest of these), and for each axis the two coordinates of its box and those of the
    outline's points and joints near the token. The language model can only say what it finds at image tokens; words
    that are named there need only be copied.
    """
    device = hidden.device
    owner = torch.from_numpy(shard.owner[chosen]).to(device).long().flatten(1)
    thing = torch.arange(len(owner), device=device)[:, None].expand_as(owner), owner.clamp(min=0)
    kinds = torch.from_numpy(shard.kinds[chosen]).to(device).long()[thing]
    points = torch.from_numpy(shard.points[chosen]).to(device)[thing].unflatten(-1, (-1, 2))
    box, marks = points[..., :2, :], points[..., 2:-1, :]
    middles = _middles(shard).to(device)
    on_left = middles[:, 0] < box[..., 0].mean(dim=-1)
    things, signs = owner >= 0, (owner >= 0) & (kinds[..., 2] > 0)
    coloured = (owner >= 0) & (kinds[..., 1] > 0)
    written = torch.from_numpy(shard.words[chosen]).to(device).long()[thing]
    losses = {}
    named = ((owner >= 0) & (written > 0).any(dim=-1)).nonzero()
    if len(named):
        named = named[torch.randperm(len(named), device=device)[:SAMPLED_WORDS]]
        ids = written[named[:, 0], named[:, 1]]
        log_p = F.log_softmax((hidden[named[:, 0], named[:, 1]] @ table.T).float(), dim=1)
        losses["word"] = -log_p.gather(1, ids)[ids > 0].mean()
    if coloured.any():
        logits = hidden[coloured].float() @ table[words.colour_ids].float().mean(dim=1).T
        losses["colour word"] = F.cross_entropy(logits, kinds[..., 1][coloured] - 1)
    if things.any():
        marked = hidden[things]
        pick = torch.randperm(len(marked), device=device)[:SAMPLED_MARKS]
        near, shares = _nearest(marks[things][pick], middles.expand(len(owner), -1, -1)[things][pick])
        losses["box words"] = losses["outline words"] = hidden.new_zeros((), dtype=torch.float32)
        for i, axis in enumerate(axes):
            ids = axis.ids()[: _longest(shard)].to(device)
            log_p = F.log_softmax((marked[pick] @ table[ids].T).float(), dim=1)
            halves = torch.full((len(pick), 2), 0.5, device=device)
            losses["box words"] = losses["box words"] + _peaks(log_p, box[things][pick][..., i], halves)
            losses["outline words"] = losses["outline words"] + _peaks(log_p, near[..., i], shares)
    if signs.any():
        logits = (hidden[signs] @ table[words.digit_ids].T).float()
        digits = torch.where(on_left, kinds[..., 2], kinds[..., 3])
        losses["digit word"] = F.cross_entropy(logits, digits[signs] - 1)
    numbers = np.stack([numbered(shard.owner[i], shard.kinds[i]) for i in chosen])
    numbers = torch.from_numpy(numbers).to(device).long().flatten(1)
    if (numbers > 0).any():
        logits = (hidden[numbers > 0] @ table[words.digit_ids].T).float()
        weights = torch.tensor([1.0, 1.0, *[LATER_WEIGHT] * 8], device=device)
        losses["number word"] = F.cross_entropy(logits, numbers[numbers > 0], weights)
    return losses


def _longest(shard: Shard) -> int:
    """Return how many coordinates occur along the longer side of a shard's images."""
    return max(shard.rows, shard.cols) * TOKEN_PX + 1


def _middles(shard: Shard) -> Tensor:
    """Return the (n, 2) centres of a grid's tokens, x and y in pixels of the prepared image."""
    row, col = np.indices((shard.rows, shard.cols)).reshape(2, -1)
    return torch.from_numpy(np.stack([col, row], axis=1) * TOKEN_PX + TOKEN_PX / 2).float()


def _nearest(marks: Tensor, middles: Tensor) -> tuple[Tensor, Tensor]:
    """Return the marks (n, m, 2) nearest to each centre (n, 2), as (n, 4, 2), and their shares (n, 4)."""
    away = (marks - middles[:, None]).norm(dim=-1).nan_to_num(torch.inf)
    distance, which = away.topk(NEAR_MARKS, dim=1, largest=False)
    shares = torch.softmax(-((distance / NEAR_PX) ** 2) / 2, dim=1)
    return marks.gather(1, which[..., None].expand(-1, -1, 2)).nan_to_num(0.0), shares


def _peaks(log_p: Tensor, numbers: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of (n, k) against Gaussians around some numbers each (n, m) with their shares (n, m)."""
    away = (torch.arange(log_p.shape[1], device=log_p.device) - numbers[..., None]) / MARK_SIGMA
    wanted = (torch.softmax(-(away**2) / 2, dim=2) * shares[..., None]).sum(dim=1)
    return -(wanted * log_p).sum(dim=1).mean()


def depth_loss(hidden: Tensor, table: Tensor, words: Words, shard: Shard, bins: Tensor) -> Tensor:
    """Cross-entropy with a Gaussian around the true bin, at sampled cells of the grid upsampled by two."""
    maps = upsampled(hidden.float(), shard.rows, shard.cols, 2).flatten(2).transpose(1, 2)
    n_cells = max(SAMPLED_CELLS, LEAST_SAMPLED_CELLS // len(maps))
    pick = torch.randint(maps.shape[1], (len(maps), n_cells), device=hidden.device)
    at = torch.arange(len(maps), device=hidden.device)[:, None], pick
    target = bins.flatten(1)[at].flatten()
    valid = target > 0
    logits = (maps[at].flatten(0, 1)[valid].to(hidden.dtype) @ table[words.bin_ids].T).float()
    return soft_cross_entropy(logits, target[valid].float() - 1, BIN_SIGMA)


def soft_cross_entropy(logits: Tensor, target: Tensor, sigma: float) -> Tensor:
    """Cross-entropy of (n, k) against Gaussians around `target` (n,)."""
    numbers = torch.arange(logits.shape[1], device=logits.device)
    wanted = torch.softmax(-(((numbers - target[:, None]) / sigma) ** 2) / 2, dim=1)
    return -(wanted * F.log_softmax(logits, dim=1)).sum(dim=1).mean()


class SoftTargets(torch.autograd.Function):
    """Weighted sum of cross-entropies against a few shared targets per row, with its gradient computed at once.

    `logits` (n, k); `ids` and `shares` (n, m), where the shares of a row add up to one; `weights` (n,). Returns the sum
    and the loss of each row. Blocks of rows fit into the processor's cache; whole arrays of this width would not.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, ids: Tensor, shares: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        gradient, losses = torch.empty_like(logits), torch.empty(len(logits), device=logits.device)
        for start in range(0, len(logits), BLOCK_ROWS):
            at = slice(start, start + BLOCK_ROWS)
            log_p = F.log_softmax(logits[at].float(), dim=1)
            losses[at] = -(log_p.gather(1, ids[at]) * shares[at]).sum(dim=1)
            gradient[at] = log_p.exp_().scatter_add_(1, ids[at], -shares[at]).mul_(weights[at, None])
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(losses)
        return (losses * weights).sum(), losses

    @staticmethod
    def backward(ctx: Any, of_sum: Tensor, _of_losses: Tensor) -> tuple[Tensor, None, None, None]:
        """See the class."""
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(of_sum), None, None, None


def answer_loss(
    logits: Tensor, targets: Tensor, weights: Tensor, axes: tuple[Ramp, Ramp], sigma: float
) -> tuple[Tensor, Tensor]:
    """Next-token loss with Gaussian targets for coordinates; returns the weighted mean and the loss of each token."""
    offsets = torch.arange(-8, 9, device=targets.device)
    ids = targets[:, None].repeat(1, len(offsets))
    shares = (offsets == 0).float().repeat(len(targets), 1)
    gaussian = torch.softmax(-((offsets / sigma) ** 2) / 2, dim=0)
    for ramp in axes:
        number = (targets - ramp.first) // ramp.step
        on_axis = (targets >= ramp.first) & (number < ramp.count) & ((targets - ramp.first) % ramp.step == 0)
        ids[on_axis] = (number[on_axis, None] + offsets).clamp(0, ramp.count - 1) * ramp.step + ramp.first
        shares[on_axis] = gaussian
    total, losses = SoftTargets.apply(logits, ids, shares, weights / weights.sum())
    return total, losses


class Helpers(nn.Module):
    """Heads on the image tokens that predict which thing a token belongs to and where the points of that thing are.

    Args:
        n_embd: Width of an image token.
        written_ids: Those of `Words`.
    """

    def __init__(self, n_embd: int, written_ids: Tensor) -> None:
        super().__init__()
        self.points = nn.Linear(n_embd, (N_POINTS + 2) * 2 * N_WAVES)
        self.kinds = nn.Linear(n_embd, len(THINGS) + 1 + len(COLOURS) + 1 + 11 + 11 + 1)
        self.written = nn.Linear(n_embd, len(written_ids))
        self.letters = nn.Linear(n_embd, CELLS**2 * len(LETTERS))
        self.register_buffer("written_ids", written_ids, persistent=False)
        waves = Ramp(0, 1, SEEN_PX, 16.0, 2048.0).waves()
        self.register_buffer("waves", waves, persistent=False)

    def forward(
        self, tokens: Tensor, shard: Shard, chosen: Tensor, sigma: float, rng: np.random.Generator
    ) -> dict[str, Tensor]:
        """Return the losses; `chosen` are the scenes of the shard that `tokens` (batch, n, n_embd) belong to."""
        index, device = chosen.numpy(), tokens.device
        owner = torch.from_numpy(shard.owner[index]).to(device).long().flatten(1)
        batch, n = owner.shape
        centre = torch.from_numpy(shard.centre[index]).to(device).flatten(1)
        thing = torch.arange(batch, device=device)[:, None].expand(-1, n), owner.clamp(min=0)
        kinds = torch.from_numpy(shard.kinds[index]).to(device).long()[thing]
        kinds = kinds.masked_fill((owner < 0)[..., None], 0)
        parts = self.kinds(tokens).float().split([len(THINGS) + 1, len(COLOURS) + 1, 11, 11, 1], dim=-1)
        named = sum(F.cross_entropy(parts[i].flatten(0, 1), kinds[..., i].flatten()) for i in range(2))
        signs = (kinds[..., 2] > 0).flatten()
        digits = tokens.new_zeros((), dtype=torch.float32)
        if signs.any():
            digits = sum(F.cross_entropy(parts[i].flatten(0, 1)[signs], kinds[..., i].flatten()[signs]) for i in (2, 3))
        middle = F.binary_cross_entropy_with_logits(
            parts[4][..., 0], centre.float(), pos_weight=torch.tensor(4.0, device=device)
        )
        points = torch.from_numpy(shard.points[index]).to(device)[thing]
        written = self._written(tokens, owner, torch.from_numpy(shard.words[index]).to(device).long()[thing])
        return (
            written
            | self._letters(tokens, shard, index)
            | {
                "kind": named,
                "digit": digits,
                "middle": middle,
                "points": self._points(tokens, owner, points, shard, sigma, rng),
            }
        )

    def _written(self, tokens: Tensor, owner: Tensor, words: Tensor) -> dict[str, Tensor]:
        has_word = (owner >= 0) & (words[..., 0] > 0)
        if not has_word.any():
            return {}
        wanted = torch.searchsorted(self.written_ids, words[..., 0][has_word])
        return {"written": F.cross_entropy(self.written(tokens[has_word]).float(), wanted)}

    def _letters(self, tokens: Tensor, shard: Shard, index: npt.NDArray[np.int64]) -> dict[str, Tensor]:
        """Ask tokens for the single letters in them: words of whole elements are not learned without it."""
        if shard.letters is None:
            return {}
        cells = torch.from_numpy(shard.letters[index]).to(tokens.device).long()
        cells = cells.unflatten(2, (shard.cols, CELLS)).unflatten(1, (shard.rows, CELLS)).transpose(2, 3).flatten(3)
        wanted = cells.flatten(1, 2) - 1
        has_letter = (wanted >= 0).any(dim=-1)
        logits = self.letters(tokens[has_letter]).float().unflatten(-1, (CELLS**2, -1))
        return {"letter": F.cross_entropy(logits.flatten(0, 1), wanted[has_letter].flatten(), ignore_index=-1)}

    def _points(
        self, tokens: Tensor, owner: Tensor, points: Tensor, shard: Shard, sigma: float, rng: np.random.Generator
    ) -> Tensor:
        device = tokens.device
        own = _middles(shard).to(device).expand(len(owner), -1, -1)
        wanted = torch.cat([points.masked_fill((owner < 0)[..., None], torch.nan), own], dim=-1)
        pick = torch.from_numpy(rng.choice(N_POINTS + 2, 16, replace=False))
        pick = torch.cat([torch.arange(4), pick, torch.tensor([N_POINTS, N_POINTS + 1])]).to(device)
        weight = self.points.weight.unflatten(0, (N_POINTS + 2, -1))[pick].flatten(0, 1)
        bias = self.points.bias.unflatten(0, (N_POINTS + 2, -1))[pick].flatten()
        known = ~wanted[..., pick].isnan()
        rows, which = known.flatten(0, 1).nonzero(as_tuple=True)
        keep = torch.from_numpy(rng.permutation(len(rows))[:MOST_POINTS]).to(device)
        codes = F.linear(tokens, weight, bias).flatten(0, 1).unflatten(-1, (len(pick), -1))
        chosen = codes[rows[keep], which[keep]]
        target = wanted[..., pick].flatten(0, 1)[rows[keep], which[keep]]
        waves = self.waves[: _longest(shard)].to(chosen.dtype)
        return soft_cross_entropy((chosen @ waves.T).float(), target, sigma)
