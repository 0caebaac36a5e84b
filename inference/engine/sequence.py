"""One request inside the engine: its tokens, how many of them are computed, where it stands.

A sequence is made in the thread of whoever asks and belongs to the engine's thread from its
submission on; it talks back through `emit` alone. A prompt and the tokens of the answer are one
list: what differs between reading a prompt, writing an answer and going on after a pre-emption is
only how many tokens still have to be computed.
Letters: T tokens, H hidden width.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, TypeAlias

import torch

from inference.engine.draft_hints import NO_HINTS, DraftHints
from inference.engine.paged_sequence import PagedSequence
from inference.engine.rope import Positions, PromptPositions, as_tensor
from inference.engine.speculation import Speculation
from inference.engine.vision import PictureFeatures, PicturePatches
from inference.requests import SamplingOptions
from inference.sampling import TokenScores

if TYPE_CHECKING:
    from inference.json_constraint import JsonConstraint


class Standing(StrEnum):
    """Where a sequence stands; a pre-empted one waits again."""

    WAITING = "waiting"
    ENCODING = "encoding"
    PREFILLING = "prefilling"
    DECODING = "decoding"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedPicture:
    """A picture of a prompt: what identifies it, its patches, and which tokens stand for it.

    `digest` must differ for pictures that look different to the model.
    """

    digest: bytes
    patches: PicturePatches
    first_token: int
    tokens: int

    @property
    def end_token(self) -> int:
        """Return the index behind its last token."""
        return self.first_token + self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is to be read: token ids, what each is known by in the cache, positions, pictures.

    `keys` has a number for each token that is equal only where token (and picture) are equal.
    """

    token_ids: tuple[int, ...]
    keys: tuple[int, ...]
    positions: PromptPositions
    pictures: tuple[PlacedPicture, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRule:
    """How an answer is chosen and when it ends: at an `eos_ids` token, or at `max_tokens`.

    A `constraint` belongs to the engine's thread from the sequence's submission on.
    """

    options: SamplingOptions
    max_tokens: int
    eos_ids: frozenset[int]
    draft_hints: DraftHints = NO_HINTS
    constraint: JsonConstraint | None = None


@dataclass(frozen=True, slots=True)
class PicturesRead:
    """So many layers of the vision tower are done, of all that this request's pictures take."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class PromptRead:
    """So many tokens of prompt (and answer so far) are in the cache."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class TokenChosen:
    """The next token of the answer, the end token included; its scores if they were asked for."""

    token_id: int
    scores: TokenScores | None = None


@dataclass(frozen=True, slots=True)
class SequenceEnded:
    """The last event of every sequence. `error` says why it broke off, None that it did not.

    `cached_tokens` of the prompt were not computed.
    """

    cached_tokens: int
    error: Exception | None = None


SequenceEvent: TypeAlias = PicturesRead | PromptRead | TokenChosen | SequenceEnded


class EngineSequence:
    """A prompt and its growing answer; see the module's text.

    Invariant: `computed` tokens from the start are in the cache, the others are `pending`; between
    steps a decoding sequence has exactly one pending token, the newest.
    """

    def __init__(
        self,
        prompt: Prompt,
        rule: AnswerRule,
        *,
        answer_ids: Iterable[int] = (),
        emit: Callable[[SequenceEvent], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        """Begin behind `answer_ids`, tokens of this answer that were accepted earlier.

        `emit` is called in the engine's thread and must neither block nor raise.
        """
        self.prompt = prompt
        self.rule = rule
        self.answer_ids = list(answer_ids)
        self.standing = Standing.WAITING
        self.arrival = 0
        self.cached_tokens: int | None = None
        self.features: dict[bytes, PictureFeatures] = {}
        self.pages: PagedSequence | None = None
        # Of a long prompt this takes milliseconds: here they are the asker's, not the engine's.
        self.speculation = Speculation([*prompt.token_ids, *self.answer_ids], rule.draft_hints)
        self.emit = emit
        self._is_cancelled = is_cancelled

    @property
    def is_cancelled(self) -> bool:
        """Say whether nobody wants the answer any more."""
        return self._is_cancelled()

    @property
    def length(self) -> int:
        """Return how many tokens there are, prompt and answer."""
        return len(self.prompt.token_ids) + len(self.answer_ids)

    @property
    def computed(self) -> int:
        """Return how many tokens from the start are in the cache."""
        return 0 if self.pages is None else self.pages.length

    @property
    def pending(self) -> int:
        """Return how many tokens still have to be computed before the next one can be chosen."""
        return self.length - self.computed

    def append(self, token_id: int) -> None:
        """Take the next token of the answer, which is pending then."""
        self.answer_ids.append(token_id)
        self.speculation.take(token_id)
        if self.rule.constraint is not None:
            self.rule.constraint.accept(token_id)

    def draft(self, most: int, *, writers: int) -> tuple[int, ...]:
        """Propose up to `most` tokens behind the newest one, worth it in a step of `writers`.

        Only as many as the pages that it holds have room for: a guess takes no page from anybody.
        None that ends the answer, by its id or as the last one that may be: no row follows it. Nor
        one that the answer's schema forbids.
        """
        room = 0 if self.pages is None else self.pages.reserved_tokens - self.length
        left = self.rule.max_tokens - len(self.answer_ids) - 1
        draft = self.speculation.propose(min(most, room, left), writers=writers)
        draft = tuple(takewhile(lambda token_id: token_id not in self.rule.eos_ids, draft))
        if self.rule.constraint is None or not draft:
            return draft
        return draft[: self.rule.constraint.count_fitting(draft)]

    def token_ids(self, first: int, last: int) -> list[int]:
        """Return the ids of some tokens."""
        prompt = self.prompt.token_ids
        start, stop = max(first - len(prompt), 0), max(last - len(prompt), 0)
        return [*prompt[first:last], *self.answer_ids[start:stop]]

    def keys(self, first: int, last: int) -> list[int]:
        """Return what some tokens are known by in the cache; an answer's tokens by their ids."""
        prompt = self.prompt.keys
        start, stop = max(first - len(prompt), 0), max(last - len(prompt), 0)
        return [*prompt[first:last], *self.answer_ids[start:stop]]

    def positions(self, first: int, last: int) -> Positions:
        """Return time, row and column of some tokens; those of an answer are a range."""
        split = len(self.prompt.token_ids)
        start = self.prompt.positions.next_position - split
        answer = range(max(first, split) + start, max(last, split) + start)
        if first >= split:
            return answer
        prompt = self.prompt.positions.slice(first, min(last, split))
        return torch.cat([prompt, as_tensor(answer)], dim=1) if answer else prompt

    def pictures_from(self, first: int) -> list[PlacedPicture]:
        """Return the pictures with tokens at or behind the index `first`."""
        return [picture for picture in self.prompt.pictures if picture.end_token > first]

    def note_cached(self) -> None:
        """Keep how much of the prompt was found in the cache; the first time counts."""
        if self.cached_tokens is None and self.pages is not None:
            self.cached_tokens = min(self.pages.cached_tokens, len(self.prompt.token_ids))
