"""Scores against means worked out by hand, through the parsers, and against a plain reading of the definition."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from youtu_gguf.decode.boxes import parse_boxes
from youtu_gguf.decode.classes import parse_classes
from youtu_gguf.decode.counts import parse_count
from youtu_gguf.decode.grammar import scan
from youtu_gguf.decode.polygons import parse_polygons
from youtu_gguf.decode.poses import parse_poses
from youtu_gguf.decode.scores import answer_score, item_score, item_scores
from youtu_gguf.engines.base import Answer, TokenScore
from youtu_gguf.types import Spans


def written(*tokens: tuple[str, float]) -> Answer:
    """Return an answer written token by token, with their probabilities."""
    scores, length = [], 0
    for text, probability in tokens:
        scores.append(TokenScore(length, length + len(text), probability))
        length += len(text)
    return Answer("".join(text for text, _ in tokens), "stop", len(tokens), tokens=tuple(scores))


def tagged(text: str, probabilities: dict[str, float], default: float = 0.9) -> Answer:
    """Return an answer whose tags are a token each, as is what stands between them."""
    tokens, end = [], 0
    for tag in scan(text):
        tokens += [text[end : tag.start], text[tag.start : tag.end]]
        end = tag.end
    tokens.append(text[end:])
    return written(*((token, probabilities.get(token, default)) for token in tokens if token))


def mean(*probabilities: float) -> float:
    return math.prod(probabilities) ** (1 / len(probabilities))


def scores_of_boxes(answer: Answer) -> list[float]:
    scores = item_scores(answer, parse_boxes(answer.text).spans)
    assert scores is not None
    assert scores.dtype == np.float32
    return scores.tolist()


BOX = "<box><x_1><y_2><x_3><y_4></box>"


def test_a_box_scores_the_geometric_mean_of_its_numbers_and_not_of_the_tags_around() -> None:
    answer = tagged(BOX, {"<x_1>": 0.5, "<y_2>": 0.25, "<x_3>": 1, "<y_4>": 0.125, "<box>": 0.01, "</box>": 0.01})
    assert scores_of_boxes(answer) == pytest.approx([(1 / 64) ** (1 / 4)])


def test_a_label_counts_with_each_of_its_words_tokens() -> None:
    answer = written(
        ("<ref>", 0.9), ("red", 0.5), (" cup", 0.2), ("</ref>", 0.9), ("<box>", 0.9), ("<x_1>", 0.4), ("<y_2>", 1),
        ("<x_3>", 1), ("<y_4>", 1), ("</box>", 0.9),
    )  # fmt: skip
    assert scores_of_boxes(answer) == pytest.approx([mean(0.5, 0.2, 0.4, 1, 1, 1)])


def test_boxes_under_one_name_share_its_tokens() -> None:
    other = BOX.replace("x_1", "x_9")
    answer = tagged(f"<ref>cup</ref>{BOX}{other}", {"cup": 0.3, "<x_1>": 0.5, "<x_9>": 0.1}, default=1)
    assert scores_of_boxes(answer) == pytest.approx([mean(0.3, 0.5, 1, 1, 1), mean(0.3, 0.1, 1, 1, 1)])


def test_a_label_from_the_question_has_no_tokens() -> None:
    answer = tagged(f"<ref></ref>{BOX}", {"<x_1>": 0.5}, default=1)
    spans = parse_boxes(answer.text, default_label="cup").spans
    assert item_scores(answer, spans) == pytest.approx([mean(0.5, 1, 1, 1)])


@pytest.mark.parametrize(
    "broken",
    ["<ref>b</ref><box><x_7><y_8><x_7></box>", "<box><x_7", "<ref>a</ref>" + BOX, "<box></box>", "<x_7><y_8>"],
)
def test_what_is_dropped_does_not_shift_the_scores_of_the_others(broken: str) -> None:
    last = "<ref>c</ref>" + BOX.replace("x_1", "x_9")
    sure = {"<x_1>": 0.5, "<x_9>": 0.2, "a": 0.8, "b": 1e-6, "c": 0.7, "<x_7>": 1e-6, "<y_8>": 1e-6}
    answer = tagged(f"<ref>a</ref>{BOX}{broken}{last}", sure, default=1)
    assert scores_of_boxes(answer) == pytest.approx([mean(0.8, 0.5, 1, 1, 1), mean(0.7, 0.2, 1, 1, 1)])


def test_a_repeated_box_keeps_the_score_of_its_first_time() -> None:
    tokens = [("<box>", 1.0), ("<x_1>", 0.5), ("<y_2>", 1.0), ("<x_3>", 1.0), ("<y_4>", 1.0), ("</box>", 1.0)]
    again = [(text, 0.01) for text, _ in tokens]
    assert scores_of_boxes(written(*tokens, *again)) == pytest.approx([mean(0.5, 1, 1, 1)])


def test_a_token_across_two_numbers_of_a_box_counts_once() -> None:
    answer = written(("<box><x_1", 0.5), ("><y_2><x_3", 0.25), ("><y_4>", 1), ("</box>", 0.1))
    # "<x_1>" is written by the first two tokens, "<y_2>" and "<x_3>" by the second, "<y_4>" by the third.
    assert scores_of_boxes(answer) == pytest.approx([mean(0.5, 0.25, 1)])


def test_a_token_across_two_items_counts_for_both() -> None:
    answer = written(("<box><x_1><y_2><x_3>", 1), ("<y_4></box><box><x_5>", 0.25), ("<y_2><x_3><y_4></box>", 1))
    assert scores_of_boxes(answer) == pytest.approx([0.5, 0.5])


def test_a_token_of_probability_zero_makes_its_item_zero_and_no_other() -> None:
    answer = tagged(BOX + BOX.replace("x_1", "x_9"), {"<x_1>": 0}, default=1)
    assert scores_of_boxes(answer) == [0, 1]


def test_an_item_whose_tokens_are_unknown_is_nan() -> None:
    whole = tagged(BOX + BOX.replace("x_1", "x_9"), {"<x_1>": 0.5}, default=1)
    partly = Answer(whole.text, "stop", whole.n_tokens, tokens=whole.tokens[:6])
    known, unknown = scores_of_boxes(partly)
    assert known == pytest.approx(mean(0.5, 1, 1, 1))
    assert math.isnan(unknown)
    assert item_score(partly, parse_boxes(whole.text).spans[1]) is None


def test_pieces_of_a_character_count_for_that_character() -> None:
    # The first two tokens of each character write nothing yet.
    answer = written(
        ("<ref>", 1), ("", 0.5), ("", 0.2), ("猫", 0.1), ("</ref>", 1), ("<ref>", 1), ("", 0.9), ("犬", 0.4),
        ("</ref>", 1),
    )  # fmt: skip
    scores = item_scores(answer, parse_classes(answer.text).spans)
    assert scores == pytest.approx([mean(0.5, 0.2, 0.1), mean(0.9, 0.4)])


def test_spaces_around_a_name_are_no_part_of_it() -> None:
    answer = written(("<ref>", 1), (" ", 0.1), ("cup", 0.5), (" ", 0.1), ("</ref>", 1))
    assert item_scores(answer, parse_classes(answer.text).spans) == pytest.approx([0.5])


def test_a_class_named_again_keeps_its_first_score_and_others_theirs() -> None:
    answer = tagged("<ref>a</ref><ref></ref><ref>b</ref><OTHERS>", {"a": 0.5, "b": 0.25})
    again = written(*[(answer.text[t.start : t.stop], t.probability) for t in answer.tokens], ("<ref>a</ref>", 0.01))
    found = parse_classes(again.text)
    assert found.names == ("a", "b")
    assert item_scores(again, found.spans) == pytest.approx([0.5, 0.25])


def test_an_object_scores_the_points_that_are_kept() -> None:
    good = "<poly><x_1><y_2><x_3><y_4><x_5><y_6></poly>"
    few = "<poly><x_8><y_8></poly>"
    odd = good.replace("<y_4>", "<y_4><x_8>").replace("<y_2>", "<y_2><v_1>")  # a point without y, one with visibility
    probabilities = {"cup": 0.3, "<y_6>": 0.5, "<x_8>": 1e-6, "<y_8>": 1e-6, "<v_1>": 1e-6, "pen": 0.2}
    text = f"Sure: <ref>cup</ref><ins>{few}{good}</ins><ins>{few}</ins><ref>pen</ref>{odd}"
    answer = tagged(text, probabilities, default=1)
    found = parse_polygons(text)
    assert found.labels == ("cup", "pen")
    expected = [mean(0.3, 0.5, *[1] * 5), mean(0.2, 0.5, *[1] * 5)]
    assert item_scores(answer, found.spans) == pytest.approx(expected)


def test_an_object_of_several_outlines_scores_them_together() -> None:
    one, two = ("<poly><x_1><y_1><x_2><y_2><x_3><y_3></poly>".replace("x_1", x) for x in ("x_8", "x_9"))
    text = f"<ins>{one}{two}</ins><ins>{one}{two}</ins>"  # the second is a repeat
    answer = tagged(text, {"<x_8>": 0.5, "<x_9>": 0.125}, default=1)
    assert item_scores(answer, parse_polygons(text).spans) == pytest.approx([mean(0.5, 0.125, *[1] * 10)])


def person(n_joints: int, extra: str = "", first: str = "<x_1>") -> str:
    joints = "".join(f"<kpt><x_{100 + i}><y_7><v_1.0></kpt>" for i in range(n_joints))
    return f"<person>{BOX.replace('<x_1>', first)}{extra}{joints}</person>"


def test_a_person_scores_box_and_joints_without_what_is_ignored() -> None:
    second = "<box><x_30><y_30><x_30><y_30></box>"
    text = person(17, second) + "<person></person>" + person(16, first="<x_2>")
    unsure = {"<x_1>": 0.5, "<x_2>": 0.25, "<x_105>": 0.1, "<x_116>": 1e-6, "<x_30>": 1e-6, "<y_30>": 1e-6}
    found = parse_poses(text)
    expected = [mean(0.5, 0.1, *[1] * 50), mean(0.25, 0.1, *[1] * 50)]  # 4 numbers of the box, 48 of the joints
    assert item_scores(tagged(text, unsure, default=1), found.spans) == pytest.approx(expected)


def test_a_person_without_a_usable_box_scores_its_joints() -> None:
    text = "<person><box><x_9><y_9></box><kpt><x_1><y_2></kpt><kpt><x_9></kpt></person>"
    answer = tagged(text, {"<x_9>": 1e-6, "<y_9>": 1e-6, "<x_1>": 0.5, "<y_2>": 0.125})
    assert item_scores(answer, parse_poses(text).spans) == pytest.approx([0.25])


def test_a_visibility_that_cannot_be_read_does_not_count() -> None:
    text = "<person><kpt><x_1><y_2><v_yes></kpt></person>"
    answer = tagged(text, {"<x_1>": 0.5, "<y_2>": 0.125, "<v_": 1e-6})
    assert item_scores(answer, parse_poses(text).spans) == pytest.approx([0.25])


def test_equal_persons_at_other_places_are_still_one() -> None:
    found = parse_poses(person(16) * 2)
    assert len(found.xyv) == len(found.spans) == 1


def test_a_number_scores_where_it_is_written_first() -> None:
    answer = written(("There are ", 0.3), ("1", 0.5), (",2", 0.125), ("34", 1), (" dogs: ", 0.3), ("1,234", 0.01))
    found = parse_count(answer.text)
    assert found.value == 1234
    assert item_score(answer, found.spans) == pytest.approx(mean(0.5, 0.125, 1))


def test_a_count_that_cannot_be_read_has_no_score() -> None:
    answer = written(("2", 0.5), (" or ", 0.5), ("3", 0.5))
    assert item_score(answer, parse_count(answer.text).spans) is None


def test_a_text_scores_all_its_tokens_but_not_the_end() -> None:
    answer = written((" a", 0.5), ("", 0.5), ("猫", 0.5), (" cup", 0.125), ("", 1e-9))
    assert answer_score(answer) == pytest.approx(mean(0.5, 0.5, 0.5, 0.125))


def test_without_probabilities_there_are_no_scores() -> None:
    answer = Answer(BOX, "stop", 6)
    spans = parse_boxes(BOX).spans
    assert item_scores(answer, spans) is item_score(answer, spans[0]) is answer_score(answer) is None


def test_an_empty_answer_has_no_items_and_no_score() -> None:
    nothing, end_only = Answer("", "stop", 0), written(("", 0.9))
    assert item_scores(nothing, ()) is None
    assert answer_score(nothing) is answer_score(end_only) is None
    assert item_scores(end_only, ()) == pytest.approx(np.zeros(0))


def test_a_probability_rounded_above_one_does_not_make_a_score_above_one() -> None:
    assert answer_score(written(("yes", 1.0000001))) == 1


def plain_score(answer: Answer, spans: Spans) -> float:
    """Return the definition, read token by token."""
    said = {place for start, stop in spans for place in range(start, stop)}
    logs = [
        math.log(token.probability)
        for token in answer.tokens
        if said & set(range(token.start, max(token.stop, token.start + 1)))  # one that writes nothing: what follows it
    ]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def test_any_spans_over_any_tokens_score_as_defined() -> None:
    rng = random.Random(0)
    for _ in range(300):
        answer = written(
            *(("x" * rng.choice((0, 1, 1, 2, 5)), rng.uniform(0.01, 1)) for _ in range(rng.randint(1, 12)))
        )
        ends = len(answer.text)
        spans = tuple((rng.randint(0, ends), rng.randint(0, ends)) for _ in range(rng.randint(0, 4)))
        scores = item_scores(answer, [spans])
        assert scores == pytest.approx([plain_score(answer, spans)], nan_ok=True)


def test_many_items_over_many_tokens_are_survived() -> None:
    answer = written(*[("<x_1>", 0.5)] * 200_000)
    scores = item_scores(answer, [((5 * i, len(answer.text)),) for i in range(50_000)])
    assert scores == pytest.approx(np.full(50_000, 0.5))
