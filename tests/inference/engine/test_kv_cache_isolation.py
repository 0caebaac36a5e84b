"""The canary: under any schedule, every slot of every sequence was computed behind its prefix."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.inference.engine.cache_life import MOST_TALKS, PARTS, CacheLife

prompts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map(
    lambda parts: [key for part in parts for key in part]
)
numbers = st.integers(0, 99)


class CacheMachine(RuleBasedStateMachine):
    """Random life of a cache without a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.life = self.begin_life()

    def begin_life(self) -> CacheLife:
        return CacheLife()

    @precondition(lambda self: len(self.life.talks) < MOST_TALKS)
    @rule(keys=prompts)
    def ask(self, keys: list[int]) -> None:
        self.life.ask(keys)

    @precondition(lambda self: len(self.life.talks) < MOST_TALKS)
    @rule(number=numbers, cut=st.integers(0, 30), keys=prompts)
    def follow_up(self, number: int, cut: int, keys: list[int]) -> None:
        self.life.follow_up(number, cut, keys)

    @rule(number=numbers, cut=st.integers(0, 9), keys=prompts)
    def converse(self, number: int, cut: int, keys: list[int]) -> None:
        self.life.converse(number, cut, keys)

    @precondition(lambda self: self.life.talks)
    @rule(number=numbers, count=st.integers(1, 20))
    def prefill(self, number: int, count: int) -> None:
        self.life.prefill(number, count)

    @precondition(lambda self: self.life.talks)
    @rule(number=numbers)
    def catch_up(self, number: int) -> None:
        self.life.catch_up(number)

    @precondition(lambda self: self.life.talks)
    @rule(
        number=numbers,
        drafts=st.lists(st.integers(1, 3), min_size=1, max_size=6),
        accepted=st.integers(0, 6),
    )
    def decode(self, number: int, drafts: list[int], accepted: int) -> None:
        self.life.decode(number, drafts, accepted)

    @precondition(lambda self: self.life.talks)
    @rule(number=numbers, unfinished=st.integers(0, 9))
    def stop(self, number: int, unfinished: int) -> None:
        self.life.stop(number, unfinished)

    @invariant()
    def all_is_right(self) -> None:
        self.life.check()

    def teardown(self) -> None:
        self.life.finish()


class SpillingCacheMachine(CacheMachine):
    """The same with a small folder, restarts and damaged files."""

    def begin_life(self) -> CacheLife:
        self._place = tempfile.TemporaryDirectory()
        return CacheLife(Path(self._place.name))

    @precondition(lambda self: len(self.life.past) > 4)
    @rule(within_s=st.sampled_from([0.0, 60.0]))
    def restart(self, within_s: float) -> None:
        self.life.restart(within_s)

    @precondition(lambda self: self.life.cache.stats().evicted_pages > 9)
    @rule(position=st.integers(0, 2000), is_cut=st.booleans())
    def damage_a_file(self, position: int, *, is_cut: bool) -> None:
        self.life.damage_a_file(position, is_cut=is_cut)

    def teardown(self) -> None:
        super().teardown()
        self._place.cleanup()


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestSpillingCacheMachine = SpillingCacheMachine.TestCase
TestSpillingCacheMachine.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def live_a_step(life: CacheLife, chance: random.Random) -> None:
    """Do one thing, in the proportions of a busy day; hypothesis prefers short and quiet lives."""
    number, count = chance.randrange(99), chance.randrange(1, 10)
    keys = [key for part in chance.choices(PARTS, k=chance.randrange(1, 5)) for key in part]
    if not life.talks or (len(life.talks) < MOST_TALKS and chance.random() < 0.2):
        life.follow_up(number, count, keys)
        return
    kind = chance.choices(["converse", "prefill", "catch up", "decode", "stop"], [3, 6, 2, 4, 2])
    match kind[0]:
        case "converse":
            life.converse(number, count, keys)
        case "prefill":
            life.prefill(number, count)
        case "catch up":
            life.catch_up(number)
        case "decode":
            life.decode(number, chance.choices([1, 2, 3], k=count), count // 2)
        case _:
            life.stop(number, count)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_of_a_stranger_is_ever_found_on_a_busy_day(tmp_path: Path, seed: int) -> None:
    life, chance = CacheLife(tmp_path), random.Random(seed)

    for step in range(1, 301):
        live_a_step(life, chance)
        life.check()
        if step % 60 == 0:
            life.damage_a_file(chance.randrange(2000), is_cut=chance.random() < 0.5)
        if step % 100 == 0:
            life.restart(within_s=60.0)

    life.finish()
    assert life.restored_tokens > 0
