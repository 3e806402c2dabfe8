"""OpenAI's Responses, with the stock client."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from tests.serve.conftest import serving
from tests.serve.talking import Scripted, base64_of, photograph

A = photograph(1)


SCRIPTED = Scripted()


@pytest.fixture
def model() -> Scripted:
    return SCRIPTED.forget()


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with serving(SCRIPTED) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def shown(**image: str) -> list[dict[str, object]]:
    content = [{"type": "input_image", "detail": "auto", **image}, {"type": "input_text", "text": "What is this?"}]
    return [{"role": "user", "content": content}]


def test_input_with_an_image_is_answered(client: openai.OpenAI, model: Scripted) -> None:
    answer = client.responses.create(
        model="youtu-vl",
        instructions="Be terse.",
        input=shown(image_url=f"data:image/png;base64,{base64_of(A)}"),
    )
    assert (answer.output_text, answer.status, answer.instructions) == ("A red cup.", "completed", "Be terse.")
    assert model.heard() == ["Be terse.", "#", "What is this?"]
    assert answer.usage is not None
    assert answer.usage.output_tokens == 3


def test_an_answer_is_sent_back_as_what_was_said_before(client: openai.OpenAI, model: Scripted) -> None:
    first = client.responses.create(model="youtu-vl", input="What is it?")
    again = [
        {"role": "user", "content": "What is it?"},
        *(item.to_dict() for item in first.output),
        {"role": "user", "content": "And now?"},
    ]
    answer = client.responses.with_raw_response.create(model="youtu-vl", input=again)
    assert answer.parse().output_text == "Nothing else."
    assert model.heard()[1:] == ["What is it?", "> A red cup.", "And now?"]
    assert "X-Youtu-Ignored" not in answer.headers


def test_events_build_up_the_answer(client: openai.OpenAI) -> None:
    file = client.files.create(file=("a.png", A), purpose="vision")
    with client.responses.stream(model="youtu-vl", input=shown(file_id=file.id)) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_response().output_text == "A red cup."
    assert kinds[:4] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
    ]  # fmt: skip
    assert kinds[-1] == "response.completed"


def test_an_answer_at_its_limit_is_incomplete(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="youtu-vl", input="What?", max_output_tokens=1)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    "extra",
    [{"previous_response_id": "resp_1"}, {"tools": [{"type": "web_search"}]}, {"background": True}],
)
def test_what_needs_a_memory_or_tools_is_refused(client: openai.OpenAI, extra: dict[str, object]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="youtu-vl", input="What?", extra_body=extra)
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", next(iter(extra)))


def test_a_file_for_another_purpose_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.files.create(file=("a.jsonl", b"{}"), purpose="batch")
    assert caught.value.param == "purpose"
