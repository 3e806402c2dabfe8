"""The stock client of OpenAI against a server of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.serve.conftest import serving
from tests.serve.talking import BOX, HEIGHT, WIDTH, Scripted, base64_of, image_url, photograph, words
from youtu_gguf.facts import DEFAULT_SYSTEM
from youtu_gguf.tasks import TASKS

A, B = photograph(1), photograph(2)
SPANS = [[5, 8], [19, 43]]
"""Where `BOX` has its label and its corners."""


SCRIPTED = Scripted()


@pytest.fixture
def model() -> Scripted:
    return SCRIPTED.forget()


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with serving(SCRIPTED) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models_are_the_model_and_one_for_each_task(client: openai.OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert [*listed] == ["youtu-vl", *(f"youtu-vl:{task}" for task in TASKS if task != "ask")]
    about = client.models.retrieve("YOUTU-VL:detect")
    assert about == listed["youtu-vl:detect"]
    assert about.to_dict()["architecture"] == {"input_modalities": ["text", "image"], "output_modalities": ["text"]}


def test_a_question_about_an_image_is_answered(client: openai.OpenAI, model: Scripted) -> None:
    answer = client.chat.completions.create(
        model="youtu-vl", messages=[{"role": "user", "content": [words("What is this?"), image_url(A)]}]
    )
    assert answer.choices[0].message.content == "A red cup."
    assert answer.choices[0].finish_reason == "stop"
    assert model.heard() == [DEFAULT_SYSTEM, "#", "What is this?"]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 3


def test_a_second_question_about_an_image_finds_it_read(client: openai.OpenAI) -> None:
    cached = []
    for question in ("What is this?", "Where is it?"):
        usage = client.chat.completions.create(
            model="youtu-vl", messages=[{"role": "user", "content": [image_url(photograph(7)), words(question)]}]
        ).usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        cached.append(usage.prompt_tokens_details.cached_tokens)
        assert usage.prompt_tokens == usage.prompt_tokens_details.text_tokens + WIDTH * HEIGHT // 32**2
    assert cached[0] == 0
    assert cached[1] is not None
    assert cached[1] >= WIDTH * HEIGHT // 32**2


def test_turns_images_and_words_among_them_keep_their_order(client: openai.OpenAI, model: Scripted) -> None:
    client.chat.completions.create(
        model="youtu-vl",
        messages=[
            {"role": "developer", "content": "Be terse."},
            {"role": "user", "content": [image_url(A), words("What is this?")]},
            {"role": "assistant", "content": "A cup."},
            {
                "role": "user",
                "content": [
                    words("Image 1:"), image_url(A), words("Image 2:"), image_url(B), words("Where are they?"),
                ],
            },
        ],
    )  # fmt: skip
    assert model.heard() == [
        "Be terse.", "#", "What is this?", "> A cup.", "Image 1:", "#", "Image 2:", "#", "Where are they?",
    ]  # fmt: skip
    shown = model.engine.prefixes[-1].images
    assert [image.digest == shown[0].digest for image in shown] == [True, True, False]


def test_no_image_is_needed(client: openai.OpenAI, model: Scripted) -> None:
    answer = client.chat.completions.create(model="youtu-vl", messages=[{"role": "user", "content": "What is a cup?"}])
    assert answer.choices[0].message.content == "A red cup."
    assert model.heard() == [DEFAULT_SYSTEM, "What is a cup?"]


def test_a_stream_gives_the_role_pieces_an_end_and_usage(client: openai.OpenAI) -> None:
    chunks = [
        *client.chat.completions.create(
            model="youtu-vl",
            messages=[{"role": "user", "content": [image_url(A), words("What is this?")]}],
            stream=True,
            stream_options={"include_usage": True},
        )
    ]
    first, *pieces, last, counts = chunks
    assert first.choices[0].delta.role == "assistant"
    assert [piece.choices[0].delta.content for piece in pieces] == ["A ", "red ", "cup."]
    assert last.choices[0].finish_reason == "stop"
    assert last.to_dict()["timings"]["predicted_n"] == 3
    assert counts.choices == []
    assert counts.usage is not None
    assert counts.usage.completion_tokens == 3
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


def test_an_answer_at_its_limit_says_so(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="youtu-vl", messages=[{"role": "user", "content": "What?"}], max_tokens=1
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("A ", "length")


def test_strings_end_an_answer(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="youtu-vl", messages=[{"role": "user", "content": "What?"}], stop=[" cup"]
    )
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("A red", "stop")


@pytest.mark.parametrize("stream", [False, True])
def test_a_task_is_a_model_whose_content_is_json(client: openai.OpenAI, model: Scripted, stream: bool) -> None:
    messages = [{"role": "user", "content": [words("car, person"), image_url(A)]}]
    answer = client.chat.completions.create(model="youtu-vl:detect", messages=messages, stream=stream)
    if stream:
        pieces = [chunk.choices[0].delta.content for chunk in answer if chunk.choices[0].delta.content]
        assert len(pieces) == 1
        content = pieces[0]
    else:
        content = answer.choices[0].message.content
    value = json.loads(content)
    assert (value["task"], value["type"]) == ("detect", "Boxes")
    assert value["boxes"] == [{"label": "car", "xyxy": [10, 20, 40, 60], "score": None, "spans": SPANS}]
    assert model.engine.questions == ["Detect all objects in these classes: car, person"]


def test_a_task_without_words_needs_none(client: openai.OpenAI, model: Scripted) -> None:
    client.chat.completions.create(
        model="youtu-vl:describe", messages=[{"role": "user", "content": [image_url(A)]}]
    )  # fmt: skip
    client.chat.completions.create(
        model="youtu-vl:detect", messages=[{"role": "user", "content": [image_url(A)]}]
    )  # fmt: skip
    assert model.engine.questions == ["Describe this image in detail.", "Detect all objects in the provided image."]


def test_a_task_takes_further_arguments_and_its_result_is_kept(client: openai.OpenAI, model: Scripted) -> None:
    messages = [{"role": "user", "content": [words("car"), image_url(A)]}]
    wanted = {"youtu": {"arguments": {"zoom": 2}, "output": {"masks": "none"}}}
    answer = client.chat.completions.create(model="youtu-vl:detect", messages=messages, extra_body=wanted)
    (shown,) = model.engine.prefixes[-1].images
    assert shown.size == (2 * WIDTH, 2 * HEIGHT)
    value = json.loads(answer.choices[0].message.content or "")
    drawing = client.get(f"/results/{value['id']}?as=overlay", cast_to=httpx.Response)
    assert drawing.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("arguments", "param"), [({"zooom": 2}, "zooom"), ({"zoom": 9}, None), ({"image": "x"}, "youtu.arguments.image")]
)
def test_an_argument_that_a_task_has_not_is_refused(
    client: openai.OpenAI, arguments: dict[str, object], param: str | None
) -> None:
    messages = [{"role": "user", "content": [words("car"), image_url(A)]}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="youtu-vl:detect", messages=messages, extra_body={"youtu": {"arguments": arguments}}
        )
    assert caught.value.param == param


def test_values_in_source_pixels_come_beside_the_text_where_they_are_wanted(client: openai.OpenAI) -> None:
    messages = [{"role": "user", "content": [image_url(A), words("Where is the car?")]}]
    wanted = {"youtu": {"decode": True}}
    whole = client.chat.completions.create(model="youtu-vl", messages=messages, extra_body=wanted)
    assert whole.choices[0].message.content == BOX
    values = whole.choices[0].message.to_dict()["youtu"]
    assert values == {
        "boxes": [{"label": "car", "xyxy": [10, 20, 40, 60], "score": None, "spans": SPANS}],
        "polygons": [],
        "issues": [],
    }
    *_, last = client.chat.completions.create(model="youtu-vl", messages=messages, extra_body=wanted, stream=True)
    assert last.choices[0].delta.to_dict()["youtu"] == values


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_images_come_in_many_formats_and_wrappings(client: openai.OpenAI, model: Scripted, form: str) -> None:
    data = base64_of(photograph(3, form))
    for url in ({"url": f"data:image/any;base64,{data}", "detail": "low"}, f"data:;base64,{data}", data):
        client.chat.completions.create(
            model="youtu-vl",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": url}, words("What?")]}],
        )
        assert model.heard() == [DEFAULT_SYSTEM, "#", "What?"]
    assert len({prefix.key for prefix in model.engine.prefixes}) == 1


def test_an_unknown_model_is_an_error_that_lists_the_known_ones(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="youtu-vl:detect") as caught:
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "Hi"}])
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-5")


def test_what_has_no_effect_is_named(client: openai.OpenAI) -> None:
    answer = client.chat.completions.with_raw_response.create(
        model="youtu-vl",
        messages=[{"role": "user", "content": "What?", "name": "Ann"}],
        user="me",
        store=True,
        extra_body={"youtu": {"arguments": {"zoom": 2}, "unknown": 1}},
    )
    ignored = {"messages.name", "store", "user", "youtu.arguments", "youtu.unknown"}
    assert set(answer.headers["X-Youtu-Ignored"].split(", ")) == ignored


def test_an_image_that_was_sent_as_a_file_is_named_by_its_id(client: openai.OpenAI, model: Scripted) -> None:
    file = client.files.create(file=("cup.png", A), purpose="vision")
    assert (file.bytes, file.status) == (len(A), "processed")
    again = client.files.retrieve(file.id)  # which is a use of it, so it is kept for longer
    assert again == file.model_copy(update={"expires_at": again.expires_at})
    assert client.files.content(file.id).read() == A
    for url in (file.id, file.id.removeprefix("file-")):
        client.chat.completions.create(
            model="youtu-vl",
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, words("What?")]}],
        )
        assert model.heard() == [DEFAULT_SYSTEM, "#", "What?"]
    assert client.files.delete(file.id).deleted
    assert file.id not in {kept.id for kept in client.files.list()}
