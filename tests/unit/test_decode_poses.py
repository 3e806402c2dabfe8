import numpy as np
import pytest

from youtu_gguf.decode.poses import FoundPoses, parse_poses
from youtu_gguf.types import Size

BOX = "<box><x_1><y_2><x_30><y_40></box>"


def joint(index: int, visibility: str = "<v_1.0>") -> str:
    return f"<kpt><x_{100 + index}><y_{200 + index}>{visibility}</kpt>"


def person(n_joints: int = 16, box: str = BOX, visibility: str = "<v_1.0>") -> str:
    return f"<person>{box}{''.join(joint(i, visibility) for i in range(n_joints))}</person>"


def messages(found: FoundPoses) -> list[str]:
    return [issue.message for issue in found.issues]


def test_a_good_person_comes_as_written() -> None:
    found = parse_poses(person())

    assert found.xyv.tolist() == [[[100 + i, 200 + i, 1] for i in range(16)]]
    assert found.boxes.tolist() == [[1, 2, 30, 40]]
    assert found.issues == ()


def test_several_persons_keep_their_order() -> None:
    found = parse_poses(person() + ", " + person(box=BOX.replace("x_1>", "x_5>")))

    assert found.boxes[:, 0].tolist() == [1, 5]
    assert found.issues == ()


def test_sixteen_joints_in_one_block_are_read_like_sixteen_blocks() -> None:
    text = person().replace("</kpt><kpt>", "")

    assert parse_poses(text).xyv.tolist() == parse_poses(person()).xyv.tolist()


@pytest.mark.parametrize("text", ["", "There is nobody.", BOX])
def test_an_answer_without_persons_gives_none(text: str) -> None:
    found = parse_poses(text)

    assert found.xyv.shape == (0, 16, 3)
    assert found.boxes.shape == (0, 4)


def test_a_missing_visibility_is_nan_and_no_flaw() -> None:
    found = parse_poses(person(visibility=""))

    assert np.isnan(found.xyv[0, :, 2]).all()
    assert found.xyv[0, 3, :2].tolist() == [103, 203]
    assert found.issues == ()


def test_joints_that_the_answer_lacks_are_missing_at_the_end() -> None:
    found = parse_poses(person(14))

    assert found.xyv[0, 13].tolist() == [113, 213, 1]
    assert found.xyv[0, 14:].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert messages(found) == ["a person needs 16 joints; got 14, the last are missing"]


def test_joints_beyond_the_sixteenth_are_ignored_and_reported() -> None:
    found = parse_poses(person(18))

    assert found.xyv[0, 15].tolist() == [115, 215, 1]
    assert messages(found) == ["a person needs 16 joints; got 18, the rest is ignored"]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ("<kpt></kpt>", "empty joint, taken as missing"),
        ("<kpt><x_7></kpt>", "incomplete point in <kpt>"),
        ("<kpt><y_7><v_1.0></kpt>", "incomplete point in <kpt>"),
        ("<kpt><x_-3><y_7><v_1.0></kpt>", "incomplete point in <kpt>"),
        ("<kpt><y_7><x_7></kpt>", "incomplete point in <kpt>"),
        ("<kpt><X_7><Y_7></kpt>", "2 unreadable number(s), the first '<X_7>'"),
    ],
)
def test_a_joint_without_a_place_does_not_shift_the_joints_after_it(broken: str, message: str) -> None:
    found = parse_poses(person().replace(joint(2), broken))

    assert found.xyv[0, 1:4].tolist() == [[101, 201, 1], [0, 0, 0], [103, 203, 1]]
    assert message in messages(found)


@pytest.mark.parametrize("visibility", ["", "<v_1.0>"])
def test_an_unreadable_joint_among_joints_of_one_block_keeps_its_place(visibility: str) -> None:
    text = person(visibility=visibility).replace("</kpt><kpt>", "").replace("<x_102><y_202>", "<X_102><Y_202>")

    assert parse_poses(text).xyv[0, 1:4, 0].tolist() == [101, 0, 103]


def test_a_joint_with_a_number_too_many_does_not_shift_the_joints_after_it() -> None:
    found = parse_poses(person().replace(joint(2), "<kpt><x_9><x_102><y_202><v_1.0></kpt>"))

    assert found.xyv[0, 1:4].tolist() == [[101, 201, 1], [102, 202, 1], [103, 203, 1]]
    assert messages(found) == ["incomplete point in <kpt>"]


def test_a_second_visibility_does_not_shift_the_joints_after_it() -> None:
    found = parse_poses(person().replace(joint(2), joint(2, "<v_1.0><v_0.5>")))

    assert found.xyv[0, 2:4].tolist() == [[102, 202, 1], [103, 203, 1]]
    assert messages(found) == ["1 visibility value(s) without a point, ignored"]


def test_an_unreadable_visibility_is_nan_and_reported() -> None:
    found = parse_poses(person().replace(joint(2), joint(2, "<v_yes>")))

    assert found.xyv[0, 2, :2].tolist() == [102, 202]
    assert np.isnan(found.xyv[0, 2, 2])
    assert messages(found) == ["1 unreadable number(s), the first '<v_yes>'"]


@pytest.mark.parametrize("box", ["", "<box><x_1><y_2><x_3></box>"])
def test_a_person_without_a_usable_box_keeps_the_joints(box: str) -> None:
    found = parse_poses(person(box=box))

    assert np.isnan(found.boxes).all()
    assert found.xyv[0, 0].tolist() == [100, 200, 1]
    assert "person has no usable box" in messages(found)


def test_a_second_box_is_ignored_and_reported() -> None:
    found = parse_poses(person(box=BOX + BOX.replace("x_1>", "x_5>")))

    assert found.boxes.tolist() == [[1, 2, 30, 40]]
    assert messages(found) == ["second box of a person, ignored"]


def test_a_cut_off_person_keeps_the_complete_joints() -> None:
    text = person()
    found = parse_poses(text[: text.index("<x_105>") + 5])

    assert found.xyv[0, 4].tolist() == [104, 204, 1]
    assert found.xyv[0, 5:].tolist() == [[0, 0, 0]] * 11
    assert "<person> is not closed" in messages(found)


def test_an_unclosed_person_ends_where_the_next_begins() -> None:
    found = parse_poses(person().replace("</person>", "") + person(box=BOX.replace("x_1>", "x_5>")))

    assert found.boxes[:, 0].tolist() == [1, 5]
    assert messages(found) == ["<person> is not closed"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<person></person>", "person has neither box nor joints, dropped"),
        ("<person><kpt></kpt></person>", "person has neither box nor joints, dropped"),
        (joint(1), "joint outside any person, ignored"),
        (f"<ins>{joint(1)}</ins>", "joint outside any person, ignored"),
        (BOX, "box outside any person, ignored"),
    ],
)
def test_what_is_no_person_is_reported(text: str, message: str) -> None:
    found = parse_poses(text)

    assert len(found.xyv) == 0
    assert message in messages(found)


def test_a_repeated_person_is_reported_once_kept() -> None:
    found = parse_poses(person() * 3)

    assert len(found.xyv) == 1
    assert messages(found) == ["repeated person, dropped"] * 2


def test_joints_beyond_the_image_are_kept_and_reported() -> None:
    found = parse_poses(person(), size=Size(114, 1000))

    assert found.xyv[0, 15].tolist() == [115, 215, 1]
    assert messages(found) == ["1 joint(s) lie beyond the image"]
