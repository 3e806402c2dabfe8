"""Errors of servers as the caller sees them: which are translated, and which stay what they are."""

from __future__ import annotations

import pytest

from youtu_gguf.engines.http.explain import explained
from youtu_gguf.engines.http.transport import NotSentError, RefusedError
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import CapabilityError, InputError, ModelFileError, ServerError, YoutuError


class Asked:
    name, model, n_slots = "http://host/v1", "youtu", 4

    def list_models(self) -> list[str]:
        return ["one", "two"]


TRANSLATED: list[tuple[int, str, str, type[YoutuError]]] = [
    (400, "", "exceed_context_size_error", InputError),
    (400, "", "context_length_exceeded", InputError),
    (400, "The input (9 tokens) is longer than the model's context length (8 tokens).", "", InputError),
    (404, "model 'youtu' not found", "not_found_error", ModelFileError),
    (400, "At most 0 image(s) may be provided in one prompt.", "", CapabilityError),
    (400, "At most 1 image(s) may be provided in one prompt.", "", InputError),
    (500, "Context size has been exceeded.", "server_error", ServerError),
]


@pytest.mark.parametrize(("status", "words", "kind", "expected"), TRANSLATED)
def test_what_the_caller_can_mend_is_translated(status: int, words: str, kind: str, expected: type[YoutuError]) -> None:
    error = explained(RefusedError("http://host/v1", status, words, kind), Prefix(), Asked())
    assert type(error) is expected


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (503, "The model `youtu` does not exist."),  # it may come
        (500, "The decoder prompt (length 9) is longer than the maximum model length of 8."),
        (429, "At most 0 image(s)"),
        (401, "The model `youtu` does not exist or you do not have access to it."),
        (403, "The model `youtu` does not exist or you do not have access to it."),
        (404, "Not Found"),
    ],
)
def test_what_may_pass_or_needs_a_key_is_not(status: int, words: str) -> None:
    error = RefusedError("http://host/v1", status, words)
    assert explained(error, Prefix(), Asked()) is error


@pytest.mark.parametrize("error", [NotSentError("gone", retry=True), ServerError("silent"), KeyError("x")])
def test_other_errors_are_not(error: Exception) -> None:
    assert explained(error, Prefix(), Asked()) is error


def test_a_server_without_a_list_has_none() -> None:
    asked = Asked()
    asked.list_models = list  # type: ignore[method-assign]
    error = explained(RefusedError("u", 404, "model 'youtu' not found"), Prefix(), asked)
    assert "It lists none." in str(error)
