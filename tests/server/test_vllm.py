"""Our remote engine on a server that answers as vLLM does: what is sent, what is read, and what errors say."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import youtu_gguf as yg
from tests.loopback_vllm import Fault, Version, Vllm
from tests.pictures import write_images
from youtu_gguf.batch import Asked, Batch, Journal, settings_of
from youtu_gguf.engines.http.room import LEAST_ROOM

PICTURE = np.random.default_rng(1).integers(0, 256, (64, 96, 3), dtype=np.uint8)
N_IMAGE = 6
"""Image tokens of the picture."""

LONG = "word " * 1000
"""An answer of 1,250 tokens."""

VERSIONS: tuple[Version, ...] = ("0.33", "0.11", "0.9")
ServeVllm = Callable[..., Vllm]


@pytest.fixture
def serve() -> Iterator[ServeVllm]:
    """Start servers with the given attributes; killed at the end."""
    started: list[Vllm] = []

    def start(**attributes: Any) -> Vllm:
        started.append(Vllm(**attributes))
        started[-1].start()
        return started[-1]

    yield start
    for vllm in started:
        vllm.kill()


def load(vllm: Vllm, model: str | None = None, **settings: Any) -> yg.Model:
    return yg.load(model, engine=vllm.url, **{"retries": 0, "stall_s": 5.0, "connect_s": 2.0, **settings})


def test_boxes_arrive_whole_though_their_tokens_are_special(serve: ServeVllm) -> None:
    vllm = serve(answer=lambda *_: "<ref>cat</ref><box><x_10><y_20><x_30><y_40></box>")
    with load(vllm) as model:
        boxes = model.open(PICTURE).detect(["cat"])
    assert boxes.xyxy.tolist() == [[10, 20, 30, 40]]
    assert (boxes.raw, boxes.issues) == ("<ref>cat</ref><box><x_10><y_20><x_30><y_40></box>", ())
    assert boxes.timings is not None and boxes.timings.n_generated == 9


@pytest.mark.parametrize("named", [None, "youtu-vl"])
def test_a_vllm_server_gets_its_own_fields_and_no_others(serve: ServeVllm, named: str | None) -> None:
    vllm = serve()
    with load(vllm, named, repeat_penalty=1.2) as model:
        model.open(PICTURE).ask("Why?")
    (body,) = vllm.bodies
    assert (body["skip_special_tokens"], body["spaces_between_special_tokens"]) == (False, False)
    assert (body["repetition_penalty"], body["top_k"], body["min_p"]) == (1.2, 40, 0)
    assert not body.keys() & {"repeat_penalty", "repeat_last_n", "reasoning_format", "return_progress"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("named", [None, "youtu-vl"])
def test_no_more_tokens_are_asked_for_than_the_server_has_room_for(
    serve: ServeVllm, version: Version, named: str | None
) -> None:
    vllm = serve(version=version, max_model_len=2048)
    with load(vllm, named) as model:
        scene = model.open(PICTURE)
        assert scene.ask("Why?").finish == "stop"
        assert scene.ask("What?", max_tokens=7).finish == "length"
    assert vllm.refused == 0
    assert 2048 - 300 < vllm.bodies[0]["max_tokens"] < 2048 - N_IMAGE
    assert vllm.bodies[1]["max_tokens"] == 7


@pytest.mark.parametrize("version", VERSIONS)
def test_an_answer_that_the_context_cuts_says_so(serve: ServeVllm, version: Version) -> None:
    vllm = serve(version=version, max_model_len=1024, answer=lambda *_: LONG)
    with load(vllm, loop_guard=False) as model:
        answer = model.open(PICTURE).ask("Why?")
    assert answer.finish == "length"
    assert len(answer.raw) == 4 * vllm.bodies[0]["max_tokens"]
    assert "the context of a server" in answer.issues[-1].message


@pytest.mark.parametrize("version", VERSIONS)
def test_a_limit_that_is_not_listed_is_learned_from_the_first_refusal(serve: ServeVllm, version: Version) -> None:
    vllm = serve(version=version, max_model_len=2048, lists_context=False)
    with load(vllm) as model:
        scene = model.open(PICTURE)
        for question in ("Why?", "What?", "Who?"):
            assert scene.ask(question).finish == "stop"
    assert (vllm.refused, len(vllm.bodies)) == (1, 4)
    assert vllm.bodies[0]["max_tokens"] == 12_280


@pytest.mark.parametrize("version", VERSIONS)
def test_a_prompt_of_many_bytes_and_few_tokens_has_the_room_that_is_left(serve: ServeVllm, version: Version) -> None:
    question = "word " * 300  # 1,500 bytes, 375 tokens
    vllm = serve(version=version, max_model_len=1500 + LEAST_ROOM)
    with load(vllm) as model:
        assert model.open(PICTURE).ask(question).finish == "stop"
    assert vllm.refused == (version != "0.33")  # which clamps the answer itself
    assert vllm.bodies[-1]["max_tokens"] > 1000


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("n_words", [400, 4000])
def test_a_prompt_that_does_not_fit_is_the_callers_error(serve: ServeVllm, version: Version, n_words: int) -> None:
    vllm = serve(version=version, max_model_len=300)
    with load(vllm) as model, pytest.raises(yg.InputError, match=r"do not fit: .*300.*lower image_max_tokens"):
        model.open(PICTURE).ask("word " * n_words)
    assert len(vllm.bodies) <= 2  # the first may have asked for too many tokens too


@pytest.mark.parametrize("version", VERSIONS)
def test_a_model_that_is_not_there_is_named_with_those_that_are(serve: ServeVllm, version: Version) -> None:
    vllm = serve(version=version, names=("youtu-vl", "youtu"))
    with load(vllm, "youtuvl") as model, pytest.raises(yg.ModelFileError) as raised:
        model.open(PICTURE).ask("Why?")
    assert f'{vllm.url} has; it has none of the name "youtuvl". It lists youtu-vl, youtu.' in str(raised.value)


def test_a_model_that_is_not_there_ends_a_batch_at_its_first_image(serve: ServeVllm, tmp_path: Path) -> None:
    with load(serve(), "youtuvl") as model, pytest.raises(yg.ModelFileError, match="It lists youtu-vl"):
        run(model, tmp_path / "out", write_images(tmp_path / "images", range(0, 240, 60)))


FAULTS: dict[Fault, tuple[type[yg.YoutuError], str, bool]] = {
    "busy": (yg.ServerError, "status 503: The engine is currently busy", True),
    "dead": (yg.ServerError, "status 500: The server had an error while processing your request", True),
    "dead in the middle": (yg.ServerError, "status 500: The server had an error while processing your request", True),
    "abort": (yg.ServerError, 'gave up the answer in the middle, with the reason "abort"', True),
    "cut": (yg.ServerError, "broke off", True),
    "invalid": (yg.ServerError, "status 400: 1 validation error", False),
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_there_is_a_typed_error(serve: ServeVllm, version: Version, fault: Fault) -> None:
    kind, message, retry = FAULTS[fault]
    vllm = serve(version=version, faults=[fault])
    with load(vllm) as model, pytest.raises(kind) as raised:
        model.open(PICTURE).ask("Why?")
    assert message in str(raised.value)
    assert getattr(raised.value, "retry", None) is retry


@pytest.mark.parametrize("version", VERSIONS)
def test_a_busy_or_dead_engine_is_asked_again(serve: ServeVllm, version: Version) -> None:
    vllm = serve(version=version, faults=["busy", "dead", None])
    with load(vllm, retries=2) as model:
        assert model.open(PICTURE).detect(["cat"]).labels == ("cat",)
    assert len(vllm.bodies) == 3


def test_a_server_that_was_not_there_is_looked_at_when_it_is(serve: ServeVllm) -> None:
    vllm = serve()
    vllm.kill()
    with load(vllm, "youtu-vl") as model:
        with pytest.raises(yg.ServerError, match="cannot be reached"):
            model.open(PICTURE).ask("Why?")
        vllm.start()
        assert model.open(PICTURE).ask("Why?").finish == "stop"
    assert "repeat_penalty" not in vllm.bodies[0]


def test_a_wrong_key_names_the_setting(serve: ServeVllm) -> None:
    vllm = serve(key="right")
    with pytest.raises(yg.ServerError, match=r"status 401: Unauthorized.*YOUTU_GGUF_API_KEY"):
        load(vllm, api_key="wrong")
    with load(vllm, api_key="right") as model:
        assert model.open(PICTURE).ask("Why?").finish == "stop"


def test_a_model_without_vision_cannot_be_asked_about_images(serve: ServeVllm) -> None:
    vllm = serve(most_images=0)
    with load(vllm) as model:
        with pytest.raises(yg.CapabilityError, match=r"takes no images: At most 0 image"):
            model.open(PICTURE).ask("Why?")
        assert model.chat().ask("Hello!").finish == "stop"


def test_a_conversation_with_more_images_than_the_server_takes_is_the_callers_error(serve: ServeVllm) -> None:
    with load(serve(most_images=1)) as model, pytest.raises(yg.InputError, match="--limit-mm-per-prompt"):
        model.chat(PICTURE, PICTURE[:32]).ask("Which?")


@pytest.mark.parametrize("named", [None, "youtu-vl"])
def test_another_model_is_warned_of_once(serve: ServeVllm, caplog: pytest.LogCaptureFixture, named: str | None) -> None:
    vllm = serve(is_youtu=False, answer=lambda *_: "There are two cats, one at (10, 20).")
    with caplog.at_level(logging.WARNING, "youtu_gguf"), load(vllm, named) as model:
        boxes = model.open(PICTURE).detect(["cat"])
        words = model.open(PICTURE).describe()
    (warning,) = caplog.records
    assert f'"youtu-vl" at {vllm.url} is not Youtu-VL' in warning.getMessage()
    assert vllm.tokenized == ["<x_0><y_0><x_2047><y_2047>"]
    assert (len(boxes), boxes.issues[0].message) == (0, "the answer holds no whole box")
    assert words == "There are two cats, one at (10, 20)."


def test_youtu_is_not_warned_of(serve: ServeVllm, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "youtu_gguf"), load(serve()) as model:
        model.open(PICTURE).ask("Why?")
    assert caplog.records == []


def test_an_answer_that_is_taken_for_reasoning_is_an_error(serve: ServeVllm) -> None:
    with load(serve(reasoning=True)) as model, pytest.raises(yg.EngineError, match="--reasoning-parser"):
        model.open(PICTURE).ask("Why?")


def test_scores_are_those_of_the_written_tokens(serve: ServeVllm) -> None:
    vllm = serve(answer=lambda *_: "<box><x_1><y_2><x_3><y_4></box>")
    with load(vllm, scores=True) as model:
        pieces = list(model.open(PICTURE).session().generate("Where?", model.settings.sampling))
    assert [piece.text for piece in pieces] == ["<box>", "<x_1>", "<y_2>", "<x_3>", "<y_4>", "</box>", ""]
    assert [piece.n_tokens for piece in pieces] == [1] * 6 + [0]
    assert [piece.probability for piece in pieces[:-1]] == [pytest.approx(np.exp(-0.25))] * 6


ASKED = [
    Asked("detect cat", yg.Question("detect", (["cat"],))),
    Asked("ask Why?", yg.Question("ask", ("Why?",))),
]


def run(model: yg.Model, out: Path, images: list[Path], **options: Any) -> Batch:
    with Journal(out, settings_of(model, ASKED, {}, ())) as journal:
        batch = Batch(model, ASKED, journal, formats=())
        list(batch.run(images, **options))
    return batch


def read(out: Path) -> dict[str, Any]:
    """Return the line of every image by its name, without what depends on time."""
    found = {}
    for text in (out / "results.jsonl").read_text().splitlines():
        line = json.loads(text)
        del line["seconds"]
        for result in line["results"]:
            result.pop("timings", None)
        assert line["image"] not in found
        found[line["image"]] = line
    return found


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return write_images(tmp_path / "images", range(0, 240, 12))


def test_a_batch_keeps_the_slots_busy_and_survives_what_goes_wrong(
    serve: ServeVllm, tmp_path: Path, images: list[Path]
) -> None:
    apart: list[Fault | None] = [None] * 9  # a batch asks a question once more, which then must not fail again
    calm = serve()
    rough = serve(faults=["dead", "cut", *apart, "abort", "busy", *apart, "dead in the middle"])
    for vllm, name in ((calm, "calm"), (rough, "rough")):
        with load(vllm, n_slots=4, retries=3) as model:
            run(model, tmp_path / name, images)
    assert read(tmp_path / "calm") == read(tmp_path / "rough")
    assert 2 <= calm.at_once <= 4
    assert len(rough.bodies) == len(calm.bodies) + 5


def test_a_batch_goes_on_when_the_server_is_started_again(serve: ServeVllm, tmp_path: Path, images: list[Path]) -> None:
    calm, killed = serve(), serve()
    with load(calm, n_slots=4) as model:
        run(model, tmp_path / "calm", images)

    def restart() -> None:
        deadline = time.monotonic() + 20
        while len(killed.bodies) < 11 and time.monotonic() < deadline:
            time.sleep(0.002)
        killed.kill()
        time.sleep(0.3)
        killed.start()

    other = threading.Thread(target=restart)
    other.start()
    with load(killed, n_slots=4, retries=6) as model:
        batch = run(model, tmp_path / "killed", images)
    other.join()
    assert batch.tally.broken == 0
    assert read(tmp_path / "killed") == read(tmp_path / "calm")


def test_a_batch_that_a_dead_server_ends_is_resumed(serve: ServeVllm, tmp_path: Path, images: list[Path]) -> None:
    calm, vllm, out = serve(), serve(), tmp_path / "out"
    with load(calm, n_slots=4) as model:
        run(model, tmp_path / "calm", images)
    vllm.faults = [None] * 12 + ["dead"] * 100
    with load(vllm, n_slots=4) as model, pytest.raises(yg.EngineError, match="images in a row"):
        run(model, out, images)
    vllm.faults = []
    with load(vllm, n_slots=4) as model:
        batch = run(model, out, images, retry=True)
    assert batch.tally.skipped >= 2
    assert batch.tally.broken == 0
    assert read(out) == read(tmp_path / "calm")
