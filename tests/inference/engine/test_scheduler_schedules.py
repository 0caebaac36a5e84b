"""Random arrivals, cancels and shortage of memory: nobody is lost, nobody sees another's tokens."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inference.engine.fake_engine import MOST_STEPS, Engine, ask, picture, words
from tests.inference.engine.fake_network import IMAGE_TOKEN, Asker, FakeNetwork

LAST_ARRIVAL = 25
STARTS = [words(18), words(18, 3), [*words(18), *words(16, 5)], [7]]


@dataclass(frozen=True)
class Plan:
    """A request, when it comes and when its asker loses patience, in steps."""

    start: int
    looks: list[int]
    end: list[int]
    max_tokens: int
    at_step: int
    patience: int | None

    def make(self) -> Asker:
        pictures = (picture(look, 4) for look in self.looks)
        return ask(*STARTS[self.start], *pictures, *self.end, max_tokens=self.max_tokens)


PLANS = st.builds(
    Plan,
    start=st.integers(0, len(STARTS) - 1),
    looks=st.lists(st.integers(0, 2), max_size=2),
    end=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    max_tokens=st.integers(1, 24),
    at_step=st.integers(0, LAST_ARRIVAL),
    patience=st.none() | st.integers(0, 40),
)


@settings(max_examples=60, deadline=None)
@given(
    plans=st.lists(PLANS, min_size=1, max_size=7),
    pages=st.integers(6, 14),
    rows=st.sampled_from([1, 3, 8, 40]),
    picture_bytes=st.sampled_from([0, 40, 10_000]),
    vocabulary=st.sampled_from([1, 2, IMAGE_TOKEN]),  # of few words there are many drafts
)
def test_no_schedule_mixes_answers_or_loses_anybody(
    plans: list[Plan], pages: int, rows: int, picture_bytes: int, vocabulary: int
) -> None:
    engine = Engine(
        pages=pages,
        rows=rows,
        picture_bytes=picture_bytes,
        make_network=partial(FakeNetwork, words=vocabulary),
    )
    askers = [plan.make() for plan in plans]

    _play(engine, list(zip(plans, askers, strict=True)))

    assert [len(asker.ends) for asker in askers] == [1] * len(askers)
    assert [a.tokens for a in askers] == [a.expected(len(a.tokens), vocabulary) for a in askers]
    assert all(
        len(asker.tokens) == plan.max_tokens
        for plan, asker in zip(plans, askers, strict=True)
        if plan.patience is None
    )


def _play(engine: Engine, schedule: list[tuple[Plan, Asker]]) -> None:
    for step in range(MOST_STEPS):
        for plan, asker in schedule:
            if plan.at_step == step:
                engine.add(asker)
            asker.is_cancelled = plan.patience is not None and step >= plan.at_step + plan.patience
        engine.step()
        if step > LAST_ARRIVAL and not engine.scheduler.has_work:
            return
    raise AssertionError("it never came to an end")
