"""A scheduler over the fake network, its books checked after every step, and those who ask it."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from inference.engine.pace import Pace
from inference.engine.picture_cache import PictureCache
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import PlacedPicture
from inference.engine.speculation import MOST_DRAFT_TOKENS
from tests.inference.engine.fake_network import (
    Asker,
    FakeClock,
    FakeNetwork,
    make_cache,
    make_picture,
)

MOST_STEPS = 2000


class Engine:
    """A scheduler over a fake network, its books checked after every step."""

    def __init__(
        self,
        *,
        pages: int = 64,
        rows: int | None = None,
        picture_bytes: int = 10_000,
        draft_tokens: int = MOST_DRAFT_TOKENS,
        make_network: Callable[[Tensor, FakeClock], FakeNetwork] = FakeNetwork,
    ) -> None:
        cache = make_cache(pages)
        self.clock = FakeClock()
        self.network = make_network(cache.pool.memory, self.clock)
        self.scheduler = Scheduler(
            self.network,
            cache,
            PictureCache(picture_bytes),
            pace=Pace(rows=rows),
            draft_tokens=draft_tokens,
            clock=self.clock,
        )

    def add(self, *askers: Asker) -> None:
        for asker in askers:
            self.scheduler.add(asker.sequence)
            self.scheduler.check_invariants()

    def step(self) -> None:
        self.scheduler.step()
        self.scheduler.check_invariants()

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Step until something is true, or until nothing is left to do."""
        for _ in range(MOST_STEPS):
            if until() if until else not self.scheduler.has_work:
                return
            self.step()
        raise AssertionError("it never came to an end")


def ask(*parts: int | PlacedPicture, max_tokens: int = 5) -> Asker:
    return Asker(*parts, max_tokens=max_tokens)


def picture(look: int = 1, columns: int = 8) -> PlacedPicture:
    return make_picture(look, first_token=0, columns=columns)


def words(count: int, first: int = 1) -> list[int]:
    return [(first + 7 * number) % 90 for number in range(count)]


def start_answer(engine: Engine, *, max_tokens: int = 400) -> Asker:
    """Return a request whose answer is being written."""
    asker = ask(1, 2, 3, max_tokens=max_tokens)
    engine.add(asker)
    engine.run(lambda: bool(asker.tokens))
    return asker
