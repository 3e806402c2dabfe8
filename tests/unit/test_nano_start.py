"""The weights of a pair as the start of a training run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scripts.nano.start import TABLE, fitted, read_pair, started, translated
from scripts.nano.tokenizer import Tokenizer
from youtu_gguf.errors import InputError, ModelFileError
from youtu_gguf.hub.local import find_nano

NANO = find_nano().parent


@pytest.fixture(scope="module")
def pair() -> tuple[dict[str, np.ndarray], list[str]]:
    return read_pair(NANO)


class TestTable:
    def test_its_own_tokenizer_leaves_it_as_it_is(self, pair: tuple[dict[str, np.ndarray], list[str]]) -> None:
        weights, merges = pair
        same = translated(weights[TABLE], Tokenizer(merges), Tokenizer(merges))
        assert np.array_equal(same, weights[TABLE])

    def test_tokens_keep_their_rows_and_new_ones_are_the_mean_of_their_parts(self) -> None:
        old, new = Tokenizer(["r e"]), Tokenizer(["r e", "re d"])
        rows = np.random.default_rng(0).normal(size=(len(old.texts), 4)).astype(np.float32)
        table = translated(rows, old, new)
        assert table.shape == (len(new.texts), 4)
        assert np.array_equal(table[new.id("<x_7>")], rows[old.id("<x_7>")])
        assert np.array_equal(table[new.encode("re")], rows[old.encode("re")])
        assert np.allclose(table[new.encode("red")], rows[old.encode("red")].mean(axis=0))

    def test_a_chinese_name_starts_as_the_english_one(self) -> None:
        old, new = Tokenizer([]), Tokenizer.train(["圆形"] * 4, 10)
        rows = np.random.default_rng(0).normal(size=(len(old.texts), 4)).astype(np.float32)
        (token,) = new.encode("圆形")
        assert np.allclose(translated(rows, old, new)[token], rows[old.encode("circle")].mean(axis=0))


class TestFit:
    def test_a_map_is_found_again_and_stays_small(self) -> None:
        rng = np.random.default_rng(1)
        angle = np.arange(1000)[:, None] / np.geomspace(3, 300, 8)
        waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)
        wanted = rng.normal(size=(16, 5)).astype(np.float32)
        found = fitted(waves, waves @ wanted)
        assert np.abs(waves[:384] @ (found - wanted)).mean() < 0.05
        assert np.abs(found).max() < 2 * np.abs(wanted).max()


class TestPair:
    def test_nano_becomes_the_parameters_of_a_network(self, pair: tuple[dict[str, np.ndarray], list[str]]) -> None:
        weights, merges = pair
        wanted = {name: array.shape for name, array in weights.items() if name != TABLE}
        wanted["table.plain"] = weights[TABLE].shape
        found = started(NANO, Tokenizer(merges), {}, wanted)
        assert {name: array.shape for name, array in found.items()} == wanted

    def test_other_sizes_are_refused_by_name(self, pair: tuple[dict[str, np.ndarray], list[str]]) -> None:
        with pytest.raises(InputError, match=r"expected the tensors of the network.*differ: .*blk\.0"):
            started(NANO, Tokenizer(pair[1]), {}, {"table.plain": (3, 4)})

    def test_a_cut_file_is_refused(self, tmp_path: Path) -> None:
        for path in NANO.glob("*.gguf"):
            (tmp_path / path.name).write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ModelFileError):
            read_pair(tmp_path)

    def test_a_folder_without_a_pair_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"expected one model and its mmproj file in .*; got no GGUF file"):
            read_pair(tmp_path)
