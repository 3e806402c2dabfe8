import pytest

from tests.engine_contract import StatesContract
from youtu_gguf.testing import FakeEngine


class TestFakeEngine(StatesContract):
    @pytest.fixture
    def engine(self) -> FakeEngine:
        answers = {self.question: "A small grey cat " * 5, "Why?": "Because it rained " * 5}
        return FakeEngine(answers, vocabulary={"cat": 1})
