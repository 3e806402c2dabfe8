"""Which tokens are taken for the codebook, whatever a converter has called them, and which never."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest
from gguf.constants import TokenType

from youtu_gguf.facts import BIN_TOKENS, COORDINATE_TOKENS, END, N_COORDINATES, PROMPT_TOKENS, TAGS
from youtu_gguf.gguf.codebook import MIN_CODEBOOK, Run, find_codebook
from youtu_gguf.types import FileForm
from youtu_gguf.weights.synthetic.layout import FULL, TINY
from youtu_gguf.weights.synthetic.tokens import VocabularyShape, make_tokens
from youtu_gguf.weights.synthetic.variants import VARIANTS

CODEBOOK = Run(395, 64)  # of the tiny pair: 384 words, 6 control tokens, 4 of vision, one of unknown use, then the run
Tokens = tuple[list[str], list[int]]
Edit = Callable[[list[str], list[int]], None]


def tokens(shape: VocabularyShape = TINY.vocabulary, form: FileForm = "named") -> Tokens:
    table = make_tokens(shape, naming=VARIANTS[form].naming)
    return table.texts, table.types


def find(texts: list[str], types: list[int] | None) -> tuple[Run | None, str]:
    first = texts.index("<x_0>") if "<x_0>" in texts else -1
    coordinates = None if first < 0 else Run(first, 2 * N_COORDINATES)
    return find_codebook([text.encode() for text in texts], types, coordinates)


def renamed(pattern: str, start: int = 0, kind: TokenType = TokenType.CONTROL) -> Edit:
    """Return an edit that numbers the codebook's entries by a pattern with {k}, and {id} where that is wanted."""

    def edit(texts: list[str], types: list[int]) -> None:
        for at in range(CODEBOOK.first, CODEBOOK.stop):
            texts[at] = pattern.format(k=start + at - CODEBOOK.first, id=at)
            types[at] = int(kind)

    return edit


@pytest.mark.parametrize("kind", ["NORMAL", "CONTROL", "USER_DEFINED", "UNUSED"])
@pytest.mark.parametrize(
    ("pattern", "start"),
    [
        ("<|image_code_{k}|>", 0),
        ("<|image_code_{k:06}|>", 0),
        ("<|image_code_{k:06}|>", 99_970),
        ("<|image_code_{k:02}|>", 70),
        ("[PAD{id}]", 0),
        ("<vq{k}>", 1),
        ("codebook {k}", 990),
        ("<custom_{k:06}>", 0),
        ("{k}号", 5),
        ("<layer_2_code_{k}>", 0),
    ],
)
def test_it_is_known_whatever_it_is_called(pattern: str, start: int, kind: str) -> None:
    texts, types = tokens()
    renamed(pattern, start, TokenType[kind])(texts, types)
    found, finding = find(texts, types)
    assert found == CODEBOOK
    assert finding == f"64 of type {kind}, {texts[395]!r} to {texts[458]!r}"


@pytest.mark.parametrize("form", get_args(FileForm))
def test_at_full_size_it_is_150_000_entries_and_nothing_that_answers_need(form: FileForm) -> None:
    texts, types = tokens(FULL.vocabulary, form)
    found, finding = find(texts, types)
    assert found == Run(128_267, 150_000)
    assert finding.startswith("150,000 of type ")
    assert finding.endswith(f"{texts[128_267]!r} to {texts[278_266]!r}")
    kept = {*texts[: found.first], *texts[found.stop :]}
    assert {*PROMPT_TOKENS, *COORDINATE_TOKENS, *BIN_TOKENS} <= kept
    assert not set(texts) - kept & {*TAGS, END}


def put(*names: tuple[int, str]) -> Edit:
    def edit(texts: list[str], _: list[int]) -> None:
        for at, name in names:
            texts[at] = name

    return edit


def numbered(name: Callable[[int], str]) -> Edit:
    return put(*((at, name(at - CODEBOOK.first)) for at in range(CODEBOOK.first, CODEBOOK.stop)))


def exchanged(texts: list[str], _: list[int]) -> None:
    texts[CODEBOOK.stop - 2], texts[CODEBOOK.stop - 3] = texts[CODEBOOK.stop - 3], texts[CODEBOOK.stop - 2]


def one_word(_: list[str], types: list[int]) -> None:
    types[CODEBOOK.stop - 1] = int(TokenType.NORMAL)


def bins_in_its_place(texts: list[str], _: list[int]) -> None:
    for k in range(CODEBOOK.count):
        here, there = CODEBOOK.first + k, texts.index(f"<custom_{k + 1}>")
        texts[here], texts[there] = texts[there], texts[here]


def vision_behind(texts: list[str], _: list[int]) -> None:
    for vision in ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"):
        texts[texts.index(vision)] = f"not {vision}"
        texts.append(vision)


NOT_ONE_RUN = "not numbered as one run"
REFUSED: dict[str, tuple[Edit, str]] = {
    "two entries exchanged": (exchanged, "65 that are not numbered as one run, '<|reserved_special_token_4|>' to"),
    "one entry of another type": (one_word, NOT_ONE_RUN),
    "too few": (put((CODEBOOK.stop - MIN_CODEBOOK, "something else")), NOT_ONE_RUN),
    "the first coordinate missing": (put((CODEBOOK.stop, "<z_0>")), "none of the coordinates, or not all"),
    "a token of use behind it": (put((CODEBOOK.stop - 1, "<|box_start|>")), NOT_ONE_RUN),
    "depth bins": (bins_in_its_place, "'<custom_1>' to '<custom_64>', and beside them not all of the depth bins"),
    "depth bins missing": (put((CODEBOOK.stop + 4096, "<custom_0001>")), "beside them not all of the depth bins"),
    "coordinates": (numbered(lambda k: f"<x_{k + 2048}>"), "'<x_2048>' to '<x_2111>', which are named as in answers"),
    "visibilities": (numbered(lambda k: f"<v_{k}>"), "named as in answers"),
    "spare tokens": (numbered(lambda k: f"<|reserved_special_token_{k + 5}|>"), "65 of .* named like spare tokens"),
    "unused tokens": (numbered(lambda k: f"<unused{k}>"), "named like spare tokens"),
    "numbers": (numbered(lambda k: f"{k + 100}"), "'100' to '163', which may be words"),
    "counted down": (numbered(lambda k: f"<c{999 - k}>"), NOT_ONE_RUN),
    "counted in steps": (numbered(lambda k: f"<c{2 * k}>"), NOT_ONE_RUN),
    "counted in hexadecimal": (numbered(lambda k: f"<c{k:04x}g>"), NOT_ONE_RUN),
    "leading zeros for some": (numbered(lambda k: f"<c{k:0{2 + k % 2}}>"), NOT_ONE_RUN),
    "not counted": (numbered(lambda k: f"<{'v' * (k + 1)}>"), NOT_ONE_RUN),
    "bytes": (renamed("<0x{k:02}>", kind=TokenType.BYTE), NOT_ONE_RUN),
    "tokens of vision behind it": (vision_behind, "no tokens of vision before the coordinates"),
    "a huge number": (put((CODEBOOK.stop - 1, "9" * 5000)), NOT_ONE_RUN),
    "text made to be slow": (put((CODEBOOK.stop - 1, "1" * 400_000 + "a1")), NOT_ONE_RUN),
    "more text made to be slow": (put((CODEBOOK.stop - 1, "a1" * 200_000)), NOT_ONE_RUN),
    "long text": (put((CODEBOOK.stop - 1, "a" * 400_000)), NOT_ONE_RUN),
}


@pytest.mark.parametrize("name", REFUSED)
def test_in_doubt_there_is_none_and_it_says_what_was_there(name: str) -> None:
    edit, finding = REFUSED[name]
    texts, types = tokens()
    edit(texts, types)
    found, seen = find(texts, types)
    assert found is None
    assert re.search(finding, seen), seen
    assert len(seen) < 300


def test_two_runs_are_named_and_neither_is_taken() -> None:
    texts, types = tokens(VocabularyShape(384, 6, 160))
    texts[395:475] = [f"<|video_code_{k}|>" for k in range(80)]
    found, finding = find(texts, types)
    assert found is None
    assert finding == (
        "80 of type CONTROL, '<|video_code_0|>' to '<|video_code_79|>', "
        "80 of type CONTROL, '<|image_code_80|>' to '<|image_code_159|>', either of which may be it"
    )


def test_other_entries_before_the_coordinates_are_said() -> None:
    texts, types = tokens(VocabularyShape(384, 6, 160))
    texts[395 + 150] = "<|box_start|>"
    assert find(texts, types)[1].endswith("and others between them and the coordinates")


def test_tokens_without_types_are_not_judged() -> None:
    assert find(tokens()[0], None) == (None, "tokens without types")


def test_nothing_before_the_coordinates_is_none() -> None:
    texts, types = tokens(form="padded")
    del texts[394:459], types[394:459]
    assert find(texts, types) == (None, "no entries there")
