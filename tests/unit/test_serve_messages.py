"""Messages of clients as conversations: who may speak when, and where images stand."""

from __future__ import annotations

import pytest

from youtu_gguf.serve.chat.messages import MAX_IMAGES, MAX_TALK, Message, Part, Picture, conversation_of, words_last
from youtu_gguf.serve.errors import ApiError

A, B = Picture("a", "a"), Picture("b", "b")


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (("Hello",), ("Hello",)),
        (("Hello ", "there"), ("Hello\nthere",)),
        ((A, "What?"), (A, "What?")),
        (("What?", A), (A, "What?")),
        (("What?", A, B), (A, B, "What?")),
        (("Look.", "What?", A), (A, "Look.\nWhat?")),
        (("Image 1:", A, "Image 2:", B, "Compare."), ("Image 1:", A, "Image 2:", B, "Compare.")),
        (("Compare.", "Image 1:", A, "Image 2:", B), ("Image 1:", A, "Image 2:", B, "Compare.")),
        (("Here is one,", A, "and another.", B), ("Here is one,", A, B, "and another.")),
        ((A, "Compare.", B), (A, B, "Compare.")),
        (("", A, "  ", "What?"), (A, "What?")),
    ],
)
def test_words_of_the_user_end_with_what_is_asked(sent: tuple[Part, ...], read: tuple[Part, ...]) -> None:
    assert words_last(sent) == read


def test_an_image_without_words_is_refused_where_words_are_needed() -> None:
    with pytest.raises(ApiError, match="needs words"):
        words_last((A,))
    assert words_last((A,), needs_words=False) == (A,)


def test_messages_become_turns_with_their_images() -> None:
    talk = conversation_of(
        [
            Message("system", ("Be terse.",)),
            Message("system", ("Speak French.",)),
            Message("user", (A, "Who?")),
            Message("assistant", ("A man.",)),
            Message("user", ("And here:",)),
            Message("user", (B, "Who?")),
        ]
    )
    assert talk.system == "Be terse.\n\nSpeak French."
    assert talk.turns == (((A, "Who?"), "A man."),)
    assert talk.asked == ("And here:", B, "Who?")
    assert talk.pictures == (A, B)


def test_without_a_system_message_the_models_own_text_is_meant() -> None:
    assert conversation_of([Message("system", ("  ",)), Message("user", ("Hi",))]).system is None
    assert conversation_of([Message("user", ("Hi",))]).system is None


@pytest.mark.parametrize(
    ("roles", "reason"),
    [
        ("", "last message must be the user's"),
        ("s", "last message must be the user's"),
        ("ua", "last message must be the user's"),
        ("au", "first message after the system's"),
        ("usu", "at the beginning"),
    ],
)
def test_messages_in_an_order_that_is_no_conversation_are_refused(roles: str, reason: str) -> None:
    messages = {"s": Message("system", ("x",)), "u": Message("user", ("x",)), "a": Message("assistant", ("x",))}
    with pytest.raises(ApiError, match=reason) as caught:
        conversation_of([messages[role] for role in roles])
    assert (caught.value.status, caught.value.param) == (400, "messages")


@pytest.mark.parametrize("parts", [(), (" ",), (A, "x")])
def test_an_answer_of_the_past_is_words(parts: tuple[Part, ...]) -> None:
    with pytest.raises(ApiError, match="of the assistant"):
        conversation_of([Message("user", ("x",)), Message("assistant", parts), Message("user", ("x",))])


def test_an_image_of_the_system_is_refused_not_dropped() -> None:
    with pytest.raises(ApiError, match="of the system has words only"):
        conversation_of([Message("system", (A, "x")), Message("user", ("x",))])


def test_too_much_is_refused_before_an_image_is_decoded() -> None:
    with pytest.raises(ApiError, match=f"{MAX_IMAGES} images; got 65"):
        conversation_of([Message("user", (*(Picture(i, "") for i in range(MAX_IMAGES + 1)), "x"))])
    with pytest.raises(ApiError, match="may have 65536 characters"):
        conversation_of([Message("user", ("x" * 65_537,))])
    with pytest.raises(ApiError) as caught:
        conversation_of([Message("user", ("x" * 60_000,))] * (MAX_TALK // 60_000 + 1))
    assert caught.value.code == "context_length_exceeded"
