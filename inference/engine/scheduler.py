"""What runs next: one step after the other over all requests, on one thread.

A step runs the newest token of every running answer together with some rows of the prompts that
are being read (first come, first served), then a few layers of the vision tower, if it serves
somebody who came before all of those. How many rows and layers, `Pace` decides from the time that
earlier steps took, so that a new picture never freezes the answers that are being written.

Where an answer repeats something, its step has rows for a draft of what comes next (`speculation`).
Each token is chosen from the true scores, as without drafts, and a draft's row counts only if all
tokens up to it are the chosen ones. A step that reads a prompt has no drafts: its time is filled.

A request starts when the cache has room for all its tokens so far, and earlier ones have started;
only the tower, which serves one at a time, may be passed by those who do not need it. When running
answers outgrow the cache, the youngest request is pre-empted: its pages become cache, and it is
read again, with all tokens it has chosen, when there is room. Every sequence ends by exactly one
`SequenceEnded`. Thread-confined; knows nothing of requests' owners, of text or of the model.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic

from torch import Tensor

from inference.engine.engine_stats import EngineStats, TokenMeter
from inference.engine.kv_cache import KVCache
from inference.engine.network import Network
from inference.engine.outbox import Outbox
from inference.engine.pace import Pace
from inference.engine.picture_cache import PictureCache
from inference.engine.picture_lane import PictureLane
from inference.engine.sequence import (
    EngineSequence,
    PromptRead,
    SequenceEnded,
    Standing,
    TokenChosen,
)
from inference.engine.sequence_memory import SequenceMemory
from inference.engine.speculation import MOST_DRAFT_TOKENS
from inference.engine.text_lane import Share, TextLane
from inference.errors import ErrorCode, InferenceError
from inference.sampling import choose

logger = logging.getLogger(__name__)


class SchedulerInvariantError(Exception):
    """The scheduler's own books contradict each other or the cache's."""


class Scheduler:
    """All requests of one loaded model; see the module's text."""

    def __init__(
        self,
        network: Network,
        cache: KVCache,
        pictures: PictureCache,
        *,
        pace: Pace | None = None,
        draft_tokens: int = MOST_DRAFT_TOKENS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Start without requests over networks, pages and picture features of the same model.

        Drafts have up to `draft_tokens`; 0 lets nobody draft.
        """
        self._cache = cache
        self._pictures = pictures
        self._pace = pace or Pace()
        self._draft_tokens = draft_tokens
        self._clock = clock
        self._memory = SequenceMemory(cache, pictures, clock=clock)
        self._text = TextLane(network, self._memory, pace=self._pace, clock=clock)
        self._tower = PictureLane(network, pictures, pace=self._pace, clock=clock)
        self._sequences: list[EngineSequence] = []  # in the order of arrival
        self._arrivals = 0
        self._meter = TokenMeter(clock)
        self._outbox = Outbox()

    @property
    def capacity_tokens(self) -> int:
        """Return how long one sequence alone may become, prompt and answer together."""
        return self._memory.capacity_tokens

    @property
    def has_work(self) -> bool:
        """Say whether a step would do something."""
        return bool(self._sequences)

    def add(self, sequence: EngineSequence) -> None:
        """Take on a request; its sequence belongs to the scheduler from now on.

        One that the whole cache could not hold ends at once, with `context_too_long`.
        """
        self._arrivals += 1
        sequence.arrival = self._arrivals
        self._sequences.append(sequence)
        if sequence.length > self._memory.capacity_tokens:
            self._end(sequence, _too_long(sequence.length, self._memory.capacity_tokens))

    def step(self, take_arrivals: Callable[[], None] = lambda: None) -> None:
        """Run one step; what fails ends the sequences that it concerns, and is not raised.

        Between two layers it calls `take_arrivals`, which may `add`, and ends the waiting ones that
        are cancelled.
        """
        began = self._clock()
        for sequence in [s for s in self._sequences if s.is_cancelled]:
            self._end(sequence)
        is_shared = self._is_tower_next()
        shares = self._plan(is_shared=is_shared)
        look_up = partial(self._look_up, take_arrivals)
        if shares:
            readers = [share.sequence for share in shares]
            self._guard(readers, partial(self._run_text, shares, look_up))
        if self._tower.sequence is not None and self._is_tower_next():
            is_due = is_shared or not shares
            run_vision = partial(self._run_vision, began, is_due=is_due, look_up=look_up)
            self._guard([self._tower.sequence], run_vision)

    def end_all(self, error: Exception) -> None:
        """End every sequence with an error; the engine is closing, or its books are broken."""
        for sequence in list(self._sequences):
            self._guard([], partial(self._end, sequence, error))

    def close(self) -> None:
        """Let the cache spill what it remembers; no sequence runs any more."""
        self._cache.close()

    def stats(self) -> EngineStats:
        """Return what runs, how fast, and how full the caches are."""
        return EngineStats(
            running=sum(s.pages is not None for s in self._sequences),
            waiting=sum(s.pages is None for s in self._sequences),
            decoding=len(self._list(Standing.DECODING)),
            tokens_per_s=self._meter.tokens_per_s,
            chosen_tokens=self._meter.total,
            drafted_tokens=self._meter.drafted,
            kept_tokens=self._meter.kept,
            cache=self._cache.stats(),
            pictures=self._pictures.stats(),
        )

    def check_invariants(self) -> None:
        """Check the books, also the cache's, in time linear in pages.

        Raises:
            SchedulerInvariantError, CacheInvariantError: a promise is broken.
        """
        self._cache.check_invariants()
        arrivals = [s.arrival for s in self._sequences]
        encoding = [] if self._tower.sequence is None else [self._tower.sequence]
        holders = [s for s in self._sequences if s.pages is not None]
        promises = {
            "the cache knows the same sequences": (len(holders) == self._cache.stats().sequences),
            "sequences stand in the order of arrival": arrivals == sorted(set(arrivals)),
            "who is at the tower is encoding": encoding == self._list(Standing.ENCODING),
            "who does not wait holds pages": all(
                s in holders or s.standing is Standing.WAITING for s in self._sequences
            ),
            "an answer has one pending token": all(
                s.pending == 1 for s in self._list(Standing.DECODING)
            ),
            "drafts are made from all tokens": all(
                s.speculation.length == s.length for s in self._sequences
            ),
            "no ended sequence is kept": not self._list(Standing.ENDED),
        }
        broken = [promise for promise, is_kept in promises.items() if not is_kept]
        if broken:
            raise SchedulerInvariantError("not so: " + "; ".join(broken))

    def _list(self, standing: Standing) -> list[EngineSequence]:
        return [s for s in self._sequences if s.standing is standing]

    def _guard(self, sequences: Sequence[EngineSequence], work: Callable[[], None]) -> None:
        """Do some work for sequences; whatever it raises ends them, and nobody else."""
        try:
            work()
        except Exception as error:
            logger.exception("A step of the engine failed.")
            for sequence in sequences:
                self._end(sequence, error)

    def _is_tower_next(self) -> bool:
        """Say whether the tower serves somebody who came before all whose prompts are being read.

        Pictures of later ones wait until the prompts are read: side by side, both would be late.
        """
        encoding = self._tower.sequence
        return encoding is not None and all(
            encoding.arrival < sequence.arrival for sequence in self._list(Standing.PREFILLING)
        )

    def _plan(self, *, is_shared: bool) -> list[Share]:
        """Return who takes part in the next step of the text network, and with how many rows.

        `is_shared` leaves time in it for the tower.
        """
        for sequence in self._list(Standing.DECODING):
            self._make_room(sequence)
        decoding = self._list(Standing.DECODING)
        left = self._pace.prompt_rows(len(decoding), is_shared=is_shared)
        self._start_waiting(left - sum(s.pending for s in self._list(Standing.PREFILLING)))
        prompts = self._share_out(left)
        most = 0 if prompts else self._draft_tokens
        answers = [
            Share(sequence, sequence.pending, sequence.draft(most, writers=len(decoding)))
            for sequence in decoding
        ]
        return [*answers, *prompts]

    def _share_out(self, rows: int) -> list[Share]:
        """Give the rows of a step to the prompts that are being read, the first first."""
        shares = []
        for sequence in self._list(Standing.PREFILLING):
            if rows > 0:
                self._memory.catch_up(sequence)
                shares.append(Share(sequence, min(sequence.pending, rows)))
                rows -= shares[-1].rows
        return shares

    def _make_room(self, sequence: EngineSequence) -> None:
        """Give a running answer a place for its newest token, pre-empting the youngest for it."""
        while sequence.standing is Standing.DECODING and not self._memory.reserve(sequence):
            holders = [s for s in self._sequences if s.pages is not None]
            if holders == [sequence]:
                # Alone, and the answer has filled the whole cache: it ends as at a limit.
                self._end(sequence)
            else:
                self._preempt(holders[-1])

    def _start_waiting(self, rows: int) -> None:
        """Start waiting sequences in their order, as far as `rows`, tower and memory allow."""
        for sequence in self._list(Standing.WAITING):
            if self._memory.is_full:
                return
            if not self._has_use_for(sequence, rows):
                continue
            if self._memory.open(sequence):
                self._send_on(sequence)
                rows -= sequence.pending if sequence.standing is Standing.PREFILLING else 0

    def _has_use_for(self, sequence: EngineSequence, rows: int) -> bool:
        """Say whether a waiting sequence would get on if it were started now."""
        if self._tower.sequence is None:
            return rows > 0 or self._memory.may_need_tower(sequence)
        return rows > 0 and not self._memory.may_need_tower(sequence)

    def _send_on(self, sequence: EngineSequence) -> None:
        """Send a sequence to the tower if a picture is still to be seen, else to be read."""
        missing = self._memory.list_missing(sequence)
        if missing:
            sequence.standing = Standing.ENCODING
            self._tower.begin(sequence, missing)
        else:
            sequence.standing = Standing.PREFILLING
            self._outbox.tell(sequence, PromptRead(sequence.computed, sequence.length))

    def _look_up(self, take_arrivals: Callable[[], None]) -> None:
        take_arrivals()
        for sequence in self._list(Standing.WAITING):
            if sequence.is_cancelled:
                self._end(sequence)

    def _run_text(self, shares: Sequence[Share], look_up: Callable[[], None]) -> None:
        for share in shares:
            share.look_ahead()
        scored = self._text.work(shares, look_up)
        with self._outbox.holding():
            for share, scores in scored:
                if not share.sequence.is_cancelled:
                    self._guard([share.sequence], partial(self._accept, share, scores))

    def _run_vision(self, began: float, *, is_due: bool, look_up: Callable[[], None]) -> None:
        decoding = len(self._list(Standing.DECODING))
        seen = self._tower.work(decoding=decoding, began=began, is_due=is_due, look_up=look_up)
        if seen is not None:
            self._send_on(seen)

    def _accept(self, share: Share, scores: Tensor) -> None:
        """Choose from scores (1 + k, V) the next token, and more as long as the draft is right."""
        sequence = share.sequence
        sequence.standing = Standing.DECODING
        sequence.note_cached()
        self._meter.drafted += len(share.draft)
        rows = zip(scores, (*share.draft, None), share.wait_allowed(), strict=True)
        for row, drafted, allowed in rows:
            token_id = self._choose(sequence, row, allowed)
            self._meter.kept += token_id == drafted
            if token_id != drafted or sequence.standing is Standing.ENDED:
                return
            self._outbox.deliver()  # whoever reads this token may want none behind it
            if sequence.is_cancelled:
                return
            self._memory.commit(sequence, 1)

    def _choose(self, sequence: EngineSequence, scores: Tensor, allowed: Tensor | None) -> int:
        """Choose the next token of an answer from scores (V,), and end it there if it ends."""
        rule = sequence.rule
        choice = choose(
            scores,
            prompt_ids=sequence.prompt.token_ids,
            answer_ids=sequence.answer_ids,
            options=rule.options,
            allowed=allowed,
        )
        token_id = choice.token_id
        self._meter.count()
        self._outbox.tell(sequence, TokenChosen(token_id, choice.scores))
        if token_id in rule.eos_ids:
            self._end(sequence)
            return token_id
        sequence.append(token_id)
        if len(sequence.answer_ids) >= rule.max_tokens:
            self._end(sequence)
        return token_id

    def _preempt(self, sequence: EngineSequence) -> None:
        """Take a sequence's memory; it waits again, with all tokens that it has chosen."""
        self._release(sequence)
        sequence.standing = Standing.WAITING

    def _end(self, sequence: EngineSequence, error: Exception | None = None) -> None:
        if sequence.standing is Standing.ENDED:
            return
        sequence.note_cached()
        self._sequences.remove(sequence)
        try:
            self._release(sequence)
        finally:  # whatever the cache says, whoever asked must hear of the end
            sequence.standing = Standing.ENDED
            self._outbox.tell(sequence, SequenceEnded(sequence.cached_tokens or 0, error))

    def _release(self, sequence: EngineSequence) -> None:
        if self._tower.sequence is sequence:
            self._tower.drop()
        self._memory.close(sequence)


def _too_long(tokens: int, capacity: int) -> InferenceError:
    return InferenceError(
        ErrorCode.CONTEXT_TOO_LONG,
        f"This conversation takes {tokens} tokens, and the memory for them holds {capacity}.",
    )
