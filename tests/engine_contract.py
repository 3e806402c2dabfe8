"""What every engine must do. A test module subclasses `EngineContract`, or `StatesContract` where the engine gives the
states of image tokens, and gives it an `engine` fixture."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from youtu_gguf.config import Sampling
from youtu_gguf.engines.base import Answer, Collector, Engine, ParallelGeneration, Request, Session, collect
from youtu_gguf.engines.prefix import Prefix
from youtu_gguf.errors import CapabilityError, EngineError, InputError, YoutuError
from youtu_gguf.types import PreparedImage, Turn

GREEDY = Sampling(temperature=0, max_tokens=12)


def picture(seed: int, height: int = 64, width: int = 96) -> PreparedImage:
    return PreparedImage(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def gather(parallel: ParallelGeneration) -> dict[int, Answer]:
    """Step until nothing is under way; return the answers by number, in the order they ended."""
    collectors: dict[int, Collector] = {}
    ended: dict[int, Answer] = {}
    while wrote := parallel.step():
        for number, piece in wrote:
            assert not isinstance(piece, YoutuError), piece
            assert number not in ended
            if collectors.setdefault(number, Collector()).add(piece):
                ended[number] = collectors[number].answer()
    assert collectors.keys() == ended.keys()
    return ended


class EngineContract:
    question = "What is in the picture?"

    @pytest.fixture
    def session(self, engine: Engine) -> Session:
        return engine.open(Prefix(picture(1)))

    def test_an_answer_ends_with_one_finish(self, session: Session) -> None:
        pieces = list(session.generate(self.question, GREEDY))
        assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
        assert pieces[-1].finish in ("stop", "length")
        assert 1 <= sum(piece.n_tokens for piece in pieces) <= GREEDY.max_tokens

    def test_the_token_limit_is_kept_and_named(self, session: Session) -> None:
        answer = collect(session.generate(self.question, Sampling(temperature=0, max_tokens=1)))
        assert (answer.n_tokens, answer.finish) == (1, "length")

    def test_an_answer_ends_before_a_stop_string(self, session: Session) -> None:
        whole = collect(session.generate(self.question, GREEDY)).text
        for stop in (whole[0], whole[len(whole) // 2 :][:3], whole[-2:]):
            answer = collect(session.generate(self.question, replace(GREEDY, stop=("not there", stop))))
            assert (answer.text, answer.finish) == (whole[: whole.index(stop)], "stop")
        unending = replace(GREEDY, stop=(f"{whole[-1]}and more",))
        assert collect(session.generate(self.question, unending)).text == whole

    def test_a_cancelled_answer_keeps_what_had_come(self, session: Session) -> None:
        cancel = threading.Event()
        pieces = []
        for piece in session.generate(self.question, GREEDY, cancel):
            pieces.append(piece)
            cancel.set()
        assert pieces[-1].finish == "cancelled"
        assert sum(piece.n_tokens for piece in pieces) == 1

    def test_an_abandoned_answer_does_not_block_the_next(self, session: Session) -> None:
        expected = collect(session.generate(self.question, GREEDY))
        for _ in range(20):
            abandoned = iter(session.generate(self.question, GREEDY))
            next(abandoned)
            del abandoned
        assert collect(session.generate(self.question, GREEDY)) == expected

    def test_answers_streamed_side_by_side_are_those_of_one_after_the_other(self, session: Session) -> None:
        alone = [collect(session.generate(q, GREEDY)).text for q in (self.question, "Why?")]
        streams = [session.generate(q, GREEDY) for q in (self.question, "Why?")]
        texts = ["", ""]
        open_streams = {0, 1}
        while open_streams:
            for i in sorted(open_streams):
                piece = next(streams[i], None)
                if piece is None:
                    open_streams.discard(i)
                else:
                    texts[i] += piece.text
        assert texts == alone

    def test_answers_got_together_are_those_of_one_after_the_other(self, session: Session) -> None:
        questions = [self.question, "Why?", "Where is it, and how many are there?", self.question]
        alone = [collect(session.generate(question, GREEDY)) for question in questions]
        parallel = session.parallel()
        numbers = [parallel.add(Request(question, GREEDY)) for question in questions]
        answers = gather(parallel)
        assert numbers == [0, 1, 2, 3]
        assert [answers[number] for number in numbers] == alone
        parallel.close()

    def test_of_answers_got_together_each_has_its_own_limit_and_can_be_cancelled(self, session: Session) -> None:
        cancel = threading.Event()
        cancel.set()
        parallel = session.parallel()
        parallel.add(Request(self.question, Sampling(temperature=0, max_tokens=1)))
        parallel.add(Request(self.question, GREEDY, cancel))
        parallel.add(Request(self.question, GREEDY))
        answers = gather(parallel)
        assert (answers[0].n_tokens, answers[0].finish) == (1, "length")
        assert answers[1].finish == "cancelled"
        assert answers[2] == collect(session.generate(self.question, GREEDY))
        parallel.close()

    def test_a_question_may_join_while_others_are_answered(self, session: Session) -> None:
        parallel = session.parallel()
        parallel.add(Request("Why?", GREEDY))
        parallel.step()
        late = parallel.add(Request(self.question, GREEDY))
        answers: dict[int, Collector] = {}
        while wrote := parallel.step():
            for number, piece in wrote:
                assert not isinstance(piece, YoutuError)
                answers.setdefault(number, Collector()).add(piece)
        assert answers[late].answer() == collect(session.generate(self.question, GREEDY))
        parallel.close()
        parallel.close()

    def test_sessions_do_not_disturb_each_other(self, engine: Engine) -> None:
        first, second = engine.open(Prefix(picture(1))), engine.open(Prefix(picture(2)))
        before = collect(first.generate(self.question, GREEDY))
        collect(second.generate(self.question, GREEDY))
        assert collect(first.generate(self.question, GREEDY)) == before

    def test_tokens_carry_probabilities_when_asked_for(self, session: Session) -> None:
        answer = collect(session.generate(self.question, replace(GREEDY, scores=True)))
        assert len(answer.tokens) == answer.n_tokens
        assert all(0 <= token.probability <= 1 for token in answer.tokens)
        assert answer.text == collect(session.generate(self.question, GREEDY)).text

    def test_the_last_piece_says_what_preceded_the_answer(self, engine: Engine) -> None:
        prefix = Prefix(picture(7))
        for question in (self.question, "Why?", "Why?"):
            *pieces, last = engine.open(prefix).generate(question, GREEDY)
            assert all(piece.prompt is None for piece in pieces)
            assert last.prompt is not None
            assert 0 <= last.prompt.n_cached < last.prompt.n_tokens
            assert last.prompt.n_tokens > prefix.image().grid.n_tokens
        assert last.prompt.n_cached >= prefix.image().grid.n_tokens

    def test_a_listener_hears_of_its_own_answer_alone(self, session: Session) -> None:
        heard: list[tuple[str, int, int]] = []
        parallel = session.parallel()
        parallel.add(Request(self.question, GREEDY, progress=lambda *step: heard.append(step)))
        parallel.add(Request("Why?", replace(GREEDY, max_tokens=3)))
        answers = gather(parallel)
        parallel.close()
        done = [done for stage, done, _ in heard if stage == "generate"]
        assert done == sorted(done)
        assert done[-1] == answers[0].n_tokens
        assert {total for stage, _, total in heard if stage == "generate"} == {GREEDY.max_tokens}

    def test_counts_are_of_all_requests(self, engine: Engine, session: Session) -> None:
        before, n_tokens = engine.counts(), 0
        for question in (self.question, "Why?"):
            n_tokens += collect(session.generate(question, GREEDY)).n_tokens
        after = engine.counts()
        assert after.generated_tokens - before.generated_tokens in (0, n_tokens)
        assert after.decodes >= before.decodes
        assert sum(after.prefixes.values()) - sum(before.prefixes.values()) in (0, 2)

    def test_states_are_given_or_refused_as_the_engine_says(self, engine: Engine, session: Session) -> None:
        if engine.has_states:
            assert session.patches().grid == session.prefix.image().grid
        else:
            with pytest.raises(CapabilityError, match='engine="native"'):
                session.patches()

    def test_a_prefix_without_an_image_is_answered(self, engine: Engine) -> None:
        session = engine.open(Prefix())
        answer = collect(session.generate("Hello!", GREEDY))
        assert answer.finish in ("stop", "length")
        assert collect(session.generate("Hello!", GREEDY)) == answer
        with pytest.raises((CapabilityError, InputError)):
            session.patches()

    def test_several_images_and_words_between_them_are_answered(self, engine: Engine) -> None:
        session = engine.open(Prefix("First: ", picture(1), "Second: ", picture(2, 32, 64)))
        answer = collect(session.generate(self.question, GREEDY))
        assert answer.finish in ("stop", "length")
        assert collect(session.generate(self.question, GREEDY)) == answer

    def test_a_question_after_earlier_turns_is_answered(self, engine: Engine) -> None:
        turns = [Turn((picture(1), "What is it?"), "A picture."), Turn(("Of what?",), "")]
        for prefix in (Prefix(turns=turns), Prefix(picture(2), turns=turns)):
            answer = collect(engine.open(prefix).generate(self.question, GREEDY))
            assert answer.finish in ("stop", "length")

    def test_a_conversation_goes_on_turn_by_turn(self, engine: Engine) -> None:
        turns: list[Turn] = []
        for image in ((picture(1),), (), (picture(2, 32, 64),), ()):
            parallel = engine.open(Prefix(*image, turns=turns)).parallel()
            parallel.add(Request(self.question, GREEDY, continues=True))
            answer = gather(parallel)[0]
            parallel.close()
            assert answer.finish in ("stop", "length")
            turns.append(Turn((*image, self.question), answer.text))

    def test_closing_twice_is_harmless_and_final(self, engine: Engine) -> None:
        engine.close()
        engine.close()
        with pytest.raises(EngineError, match="closed"):
            engine.open(Prefix(picture(1)))


class StatesContract(EngineContract):
    """Of engines that give the states of image tokens too."""

    def test_each_of_several_images_has_its_states(self, engine: Engine) -> None:
        alone = engine.open(Prefix(picture(1))).patches()
        turns = [Turn((picture(1), self.question), "Yes.")]
        session = engine.open(Prefix(picture(2, 32, 64), turns=turns))
        assert [session.patches(image=i).grid for i in range(2)] == [(2, 3), (1, 2)]
        assert np.allclose(session.patches(image=0).hidden, alone.hidden, atol=1e-3)
        with pytest.raises(InputError, match="images 0 to 1"):
            session.patches(image=2)
        with pytest.raises(InputError, match="no image"):
            engine.open(Prefix()).patches()

    def test_questions_leave_states_as_they_are(self, engine: Engine, session: Session) -> None:
        states = session.patches().hidden
        collect(engine.open(Prefix(picture(2))).generate(self.question, GREEDY))
        assert np.array_equal(session.patches().hidden, states)

    def test_states_lie_on_the_grid_of_image_tokens(self, session: Session) -> None:
        patches = session.patches()
        assert patches.grid == session.prefix.image().grid == (2, 3)
        assert np.isfinite(patches.hidden).all()

    def test_logits_are_states_times_head_rows(self, session: Session) -> None:
        patches = session.patches()
        logits = patches.logits([0, 1, 1])
        assert logits.shape == (2, 3, 3)
        assert np.allclose(logits[..., 1], patches.hidden @ patches.head.rows([1])[0], atol=1e-4)
        assert np.array_equal(logits[..., 1], logits[..., 2])

    def test_different_pictures_have_different_states(self, engine: Engine) -> None:
        states = [engine.open(Prefix(picture(seed))).patches().hidden for seed in (1, 2)]
        assert not np.allclose(*states, atol=1e-3)

    def test_unknown_tokens_have_no_id(self, engine: Engine) -> None:
        assert engine.vocabulary.token_id("<no_such_token>") is None
        assert engine.vocabulary.tokenize("") == ()
