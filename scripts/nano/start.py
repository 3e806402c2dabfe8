"""The weights of a pair of GGUF files as the start of a training run, also with another vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader
from gguf.constants import Keys, TokenType
from gguf.quants import dequantize

from scripts.nano.chinese import CHINESE_NAMES
from scripts.nano.export import F32
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.errors import InputError
from youtu_gguf.gguf.header import read_header

TABLE = "token_embd.weight"
WELL_KNOWN, LATER_WEIGHT = 384, 0.1
"""Numbers of a ramp that count fully when its map is fitted, and the weight of later ones. In nano's first pair there
is a step among the coordinates at 1,000, where nothing was trained."""
RIDGE = 1.0
"""Weight of a map's size."""


def started(
    folder: str | Path,
    tokenizer: Tokenizer,
    ramps: Mapping[str, tuple[npt.NDArray[np.int64], F32]],
    wanted: Mapping[str, tuple[int, ...]],
) -> dict[str, F32]:
    """Return the weights of the pair in `folder` as the parameters of a `network.Network`.

    Tokens that the pair does not know start as the mean of the tokens that it writes them with; Chinese names as their
    English ones.

    Args:
        folder: Holds one model and its mmproj file.
        tokenizer: Of the run.
        ramps: Token ids (n,) and waves (n, k) of each ramp of the table.
        wanted: Shapes of the network's parameters.

    Raises:
        InputError: The folder holds no pair, or one of other shapes.
        ModelFileError: A file of the pair is damaged.
    """
    weights, merges = read_pair(folder)
    rows = translated(weights.pop(TABLE), Tokenizer(merges), tokenizer)
    weights["table.plain"] = rows
    weights |= {f"table.maps.{name}": fitted(waves, rows[ids]) for name, (ids, waves) in ramps.items()}
    got = {name: array.shape for name, array in weights.items()}
    if wrong := [name for name in sorted(wanted.keys() | got.keys()) if wanted.get(name) != got.get(name)]:
        raise InputError(
            f"expected the tensors of the network in {folder}; {len(wrong)} differ: {', '.join(wrong[:5])}. "
            "Start from a pair of the sizes in scripts/nano/network.py."
        )
    return weights


def fitted(waves: F32, rows: F32) -> F32:
    """Return the linear map of waves (n, k) that comes near to rows (n, d), the first ones above all, and is small.

    Without the last condition, large parts of opposite sign would cancel out, which they do not in bfloat16.
    """
    weight = np.full((len(waves), 1), LATER_WEIGHT)
    weight[:WELL_KNOWN] = 1.0
    weighted = waves * weight
    gram = weighted.T @ weighted + RIDGE * np.eye(waves.shape[1])
    return np.linalg.solve(gram, weighted.T @ (rows * weight)).astype(np.float32)


def read_pair(folder: str | Path) -> tuple[dict[str, F32], list[str]]:
    """Return the tensors of a pair, float32, under their names, and the merges of its tokenizer.

    Raises:
        InputError: The folder does not hold exactly one model and its mmproj file.
        ModelFileError: One of them is damaged.
    """
    paths = sorted(Path(folder).glob("*.gguf"))
    if len(paths) != 2 or sum(path.name.startswith("mmproj") for path in paths) != 1:
        names = ", ".join(path.name for path in paths) or "no GGUF file"
        raise InputError(f"expected one model and its mmproj file in {folder}; got {names}. Name the folder of a pair.")
    weights: dict[str, F32] = {}
    merges: list[str] = []
    for path in paths:
        read_header(path)  # says what is wrong with a damaged file
        reader = GGUFReader(path)
        weights |= {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        if field := reader.get_field(Keys.Tokenizer.MERGES):
            merges = field.contents()
    return weights, merges


def translated(rows: F32, old: Tokenizer, new: Tokenizer) -> F32:
    """Return the rows of a token table (n_old, n_embd) for the tokens of another tokenizer, (n_new, n_embd)."""
    ids = {text: token for token, text in enumerate(old.texts)}
    result = np.zeros((len(new.texts), rows.shape[1]), np.float32)
    for token, text in enumerate(new.texts):
        if text in ids:
            result[token] = rows[ids[text]]
        elif new.types[token] == TokenType.NORMAL:
            result[token] = rows[[ids[piece] for piece in old.merged(text)]].mean(axis=0)
    for name, chinese in CHINESE_NAMES.items():
        token, *others = new.encode(chinese)
        if not others and new.texts[token] not in ids:
            result[token] = rows[old.encode(name)].mean(axis=0)
    return result
