"""Drafts save passes and change nothing else: no token, no end, nobody's memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.engine.kernels.base import PAGE_TOKENS
from inference.engine.sequence import SequenceEvent, Standing
from inference.engine.speculation import MOST_DRAFT_TOKENS, MOST_WRITERS
from inference.engine.text import SequenceRows
from inference.requests import SamplingOptions
from tests.inference.engine.fake_engine import Engine, picture, words
from tests.inference.engine.fake_network import (
    GREEDY,
    TEXT_LAYERS,
    VOCABULARY,
    Asker,
    FakeClock,
    FakeNetwork,
    FakeTextRun,
)

SONG = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 93, 23, 84]
END = 95


class SingingRun(FakeTextRun):
    """Behind the token with index i comes number i of a song that begins again and again."""

    def __init__(self, network: SingingNetwork, rows: Sequence[SequenceRows]) -> None:
        super().__init__(network, rows)
        self._end_at = network.end_at

    def _compute(self, rows: SequenceRows) -> Iterable[int]:
        for index, _ in enumerate(super()._compute(rows), rows.first_index):
            yield END if index == self._end_at else SONG[index % len(SONG)]


class SingingNetwork(FakeNetwork):
    """Sings; behind the token with the index `end_at` comes the end. `read` has all its tokens."""

    def __init__(self, memory: Tensor, clock: FakeClock, end_at: int | None = None) -> None:
        super().__init__(memory, clock)
        self.end_at = end_at
        self.read: list[int] = []

    def start_text(self, rows: Sequence[SequenceRows]) -> FakeTextRun:
        self.read += [token_id for row in rows for token_id in row.token_ids]
        return SingingRun(self, rows)


class DicingRun(FakeTextRun):
    """Every prefix has scores of its own, for a few tokens."""

    def logits(self, rows: Sequence[int]) -> Tensor:
        scores = torch.full((len(rows), VOCABULARY), -30.0)
        for number, row in enumerate(rows):
            generator = torch.Generator().manual_seed(self._outputs[row])
            scores[number, :3] = 3 * torch.randn(3, generator=generator)
        return scores


class DicingNetwork(FakeNetwork):
    def start_text(self, rows: Sequence[SequenceRows]) -> FakeTextRun:
        return DicingRun(self, rows)


def sing(first: int, count: int) -> list[int]:
    """Return a part of the song behind a prompt of `first` tokens."""
    return [SONG[(first - 1 + number) % len(SONG)] for number in range(count)]


def make_singing(*, pages: int = 64, rows: int | None = None) -> Engine:
    return Engine(pages=pages, rows=rows, make_network=SingingNetwork)


def count_steps(engine: Engine) -> int:
    """Return how many passes of the text network there were."""
    return len(engine.network.list_layers("text")) // TEXT_LAYERS


def count_drafted(engine: Engine) -> int:
    """Return how many rows of drafts there were."""
    return engine.scheduler.stats().drafted_tokens


SAMPLED = SamplingOptions(temperature=1.0, presence_penalty=0.0, seed=5)


@pytest.mark.parametrize(
    "options",
    [
        GREEDY,
        SAMPLED,
        SamplingOptions(),
        SamplingOptions(temperature=0.0, presence_penalty=1.5),
        SamplingOptions(temperature=0.0, presence_penalty=0.0, repetition_penalty=1.3),
        SamplingOptions(temperature=1.2, repetition_penalty=1.1, top_k=2, seed=9),
    ],
    ids=["greedy", "sampled", "default", "presence", "repetition", "all"],
)
def test_text_is_that_without_drafts(options: SamplingOptions) -> None:
    texts = []
    for most in (0, MOST_DRAFT_TOKENS):
        engine = Engine(draft_tokens=most, make_network=DicingNetwork)
        asker = Asker(*words(9), picture(), 0, 1, 2, max_tokens=200, options=options)
        engine.add(asker)
        engine.run()
        texts.append(asker.tokens)

    assert count_drafted(engine)
    assert len(texts[0]) == 200
    assert texts[1] == texts[0]


def test_song_is_written_with_more_than_three_tokens_a_step() -> None:
    engine = make_singing()
    asker = Asker(*words(9), max_tokens=200)
    engine.add(asker)

    engine.run()

    assert asker.tokens == sing(9, 200)
    assert count_steps(engine) <= 200 / 3


def test_answer_written_with_drafts_is_right_for_those_who_reuse_it() -> None:
    engine = Engine(make_network=partial(FakeNetwork, words=2))
    first = Asker(*words(9), max_tokens=100)
    engine.add(first)
    engine.run()
    drafted = count_drafted(engine)
    follow_up = Asker(*words(9), *first.tokens, 50, max_tokens=60)
    engine.add(follow_up)

    engine.run()

    assert drafted
    assert follow_up.cached_tokens == 9 + 99
    assert first.tokens == first.expected(100, 2)
    assert follow_up.tokens == follow_up.expected(60, 2)


@pytest.mark.parametrize("max_tokens", range(60, 60 + MOST_DRAFT_TOKENS + 1))
def test_answer_ends_at_its_limit_in_the_middle_of_a_draft(max_tokens: int) -> None:
    engine = make_singing()
    asker = Asker(*words(9), max_tokens=max_tokens)
    engine.add(asker)

    engine.run()

    assert asker.tokens == sing(9, max_tokens)
    assert len(asker.ends) == 1


@pytest.mark.parametrize("verse", range(60, 60 + MOST_DRAFT_TOKENS + 1))
def test_answer_ends_at_an_end_token_in_the_middle_of_a_draft(verse: int) -> None:
    make_network = partial(SingingNetwork, end_at=9 + verse - 1)
    engine = Engine(make_network=make_network)
    asker = Asker(*words(9), max_tokens=400, eos_ids=frozenset([END]))
    engine.add(asker)

    engine.run()

    assert asker.tokens == [*sing(9, verse), END]
    assert [end.error for end in asker.ends] == [None]


@pytest.mark.parametrize(
    ("eos_ids", "is_drafted"),
    [(frozenset([END]), False), (frozenset[int](), True)],
    ids=["end", "word"],
)
def test_no_row_is_spent_on_an_end_token(eos_ids: frozenset[int], is_drafted: bool) -> None:
    memory: list[SingingNetwork] = []

    def make(*parts: Any) -> SingingNetwork:
        memory.append(SingingNetwork(*parts))
        return memory[-1]

    engine = Engine(make_network=make)
    asker = Asker(*SONG[:-1], END, max_tokens=30, eos_ids=eos_ids)
    engine.add(asker)

    engine.run()

    assert asker.tokens == sing(len(SONG), 30)
    assert (memory[0].read.count(END) > 1) is is_drafted


@pytest.mark.parametrize("patience", range(60, 60 + MOST_DRAFT_TOKENS + 1))
def test_cancel_in_the_middle_of_a_draft_ends_within_a_token(patience: int) -> None:
    engine = make_singing()
    asker = Asker(*words(9), max_tokens=400)
    engine.add(asker)
    keep = asker.sequence.emit

    def lose_patience(event: SequenceEvent) -> None:
        keep(event)
        asker.is_cancelled = len(asker.tokens) >= patience

    asker.sequence.emit = lose_patience
    engine.run()

    assert asker.tokens == sing(9, patience)
    assert len(asker.ends) == 1


def test_answer_that_is_taken_over_goes_on_as_it_would_have() -> None:
    engine = make_singing()
    rest = Asker(*words(9), max_tokens=120, answer_ids=sing(9, 70))
    engine.add(rest)

    engine.run()

    assert rest.tokens == sing(9, 120)[70:]
    assert count_drafted(engine)


def test_draft_takes_no_page_that_the_text_does_not_need() -> None:
    engine = make_singing()
    asker = Asker(*words(9), max_tokens=300)
    engine.add(asker)
    engine.run(lambda: count_drafted(engine) > 20)

    while asker.sequence.pages is not None:
        assert len(asker.sequence.pages.pages) <= -(-asker.sequence.length // PAGE_TOKENS)
        engine.step()

    assert asker.tokens == sing(9, 300)


def test_preempted_answers_lose_nothing() -> None:
    engine = make_singing(pages=8)
    askers = [Asker(*words(9, first), max_tokens=100) for first in (1, 2)]
    engine.add(*askers)
    standings = set()

    while engine.scheduler.has_work:
        standings.add(askers[1].sequence.standing)
        engine.step()

    assert Standing.WAITING in standings
    assert count_drafted(engine)
    assert [asker.tokens for asker in askers] == [sing(9, 100)] * 2


def test_answer_that_fills_the_cache_ends_where_it_would_without_drafts() -> None:
    engine = make_singing(pages=6)
    asker = Asker(*words(10), max_tokens=400)
    engine.add(asker)

    engine.run()

    assert asker.tokens == sing(10, 6 * PAGE_TOKENS - 10 + 1)
    assert count_drafted(engine)


@pytest.mark.parametrize(
    ("writers", "drafts"),
    [(MOST_WRITERS, True), (MOST_WRITERS + 1, False)],
    ids=["few", "many"],
)
def test_drafts_are_for_few_writers(writers: int, drafts: bool) -> None:
    engine = make_singing()
    askers = [Asker(*words(9, first), max_tokens=80) for first in range(1, writers + 1)]
    engine.add(*askers)
    engine.run(lambda: all(asker.tokens for asker in askers))

    engine.run(lambda: any(asker.has_ended for asker in askers))

    assert (count_drafted(engine) > 0) is drafts


def test_no_draft_takes_the_time_of_a_prompt_that_is_read() -> None:
    engine = make_singing(rows=16)
    writer = Asker(*words(9), max_tokens=400)
    engine.add(writer)
    engine.run(lambda: count_drafted(engine) > 20)
    before_prompt = count_drafted(engine)
    reader = Asker(*words(120, 5), max_tokens=1)
    engine.add(reader)

    while not reader.has_ended:
        before = len(writer.tokens)
        engine.step()
        assert len(writer.tokens) == before + 1

    assert count_drafted(engine) == before_prompt
