"""Choosing the next token: pure functions over one row of logits.

The randomness of a position depends on the request's seed and the position alone, so an answer
that another process takes over goes on exactly as it would have. This module imports torch: only
backends import it, when they load. Letters: V vocabulary size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from inference.requests import SamplingOptions

MAX_SEED_BYTES = 8
BLOCK = 128
"""Scores among which the highest is looked for first; divides the vocabulary of the Qwen family."""


@dataclass(frozen=True, slots=True)
class TokenScores:
    """Log probabilities of one position: the chosen token's, and ids with the highest, falling."""

    chosen: float
    top: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The next token, and its scores where they were asked for."""

    token_id: int
    scores: TokenScores | None


def choose(
    logits: torch.Tensor,
    *,
    prompt_ids: Sequence[int],
    answer_ids: Sequence[int],
    options: SamplingOptions,
    allowed: torch.Tensor | None = None,
) -> Choice:
    """Return the next token from its logits, as `choose_token` does, and what was asked of it."""
    token_id = choose_token(
        logits,
        prompt_ids=prompt_ids,
        answer_ids=answer_ids,
        options=options,
        allowed=allowed,
    )
    count = options.logprobs
    return Choice(token_id, None if count is None else read_scores(logits, token_id, count))


def read_scores(logits: torch.Tensor, token_id: int, count: int) -> TokenScores:
    """Return the log probabilities of a token and of the `count` likeliest by logits (V,)."""
    logprobs = torch.log_softmax(logits.to(torch.float32), dim=-1)
    top = torch.topk(logprobs, count)
    likeliest = zip(top.indices.tolist(), top.values.tolist(), strict=True)
    return TokenScores(float(logprobs[token_id]), tuple(likeliest))


def seed_position(seed: int, position: int) -> int:
    """Return the 63-bit seed of one position of an answer.

    Position 0 is the answer's first token.
    """
    digest = hashlib.blake2b(f"{seed}:{position}".encode(), digest_size=MAX_SEED_BYTES).digest()
    return int.from_bytes(digest, "big") >> 1


def choose_token(
    logits: torch.Tensor,
    *,
    prompt_ids: Sequence[int],
    answer_ids: Sequence[int],
    options: SamplingOptions,
    allowed: torch.Tensor | None = None,
) -> int:
    """Return the next token's id from its logits, shape (V,), which stay as they are.

    The order is that of the common servers: repetition and presence penalty, what is `allowed`
    (bool, shape (V,), one at least), temperature, top-k, top-p, one draw. The presence penalty
    looks at the answer alone, the repetition penalty at the prompt too. Temperature 0 is greedy.
    """
    scores = logits.to(torch.float32)
    with penalised(scores, prompt_ids=prompt_ids, answer_ids=answer_ids, options=options):
        if allowed is not None:
            scores = scores.masked_fill(~allowed, -torch.inf)
        if options.temperature <= 0:
            return int(scores.numpy().argmax())
        kept_scores, kept_ids = keep_top_k(scores, options.top_k)
    probabilities = torch.softmax(kept_scores / options.temperature, dim=-1)
    probabilities = keep_top_p(probabilities, options.top_p)
    generator = torch.Generator().manual_seed(seed_position(options.seed, len(answer_ids)))
    threshold = float(torch.rand((), generator=generator, dtype=torch.float64))
    return int(kept_ids[draw(probabilities, threshold)])


@contextmanager
def penalised(
    scores: torch.Tensor,
    *,
    prompt_ids: Sequence[int],
    answer_ids: Sequence[int],
    options: SamplingOptions,
) -> Iterator[None]:
    """Hold both penalties on float32 scores, shape (V,); afterwards they are what they were.

    In place: to copy 151,936 scores took longer than everything else about a choice.
    """
    repetition, presence = options.repetition_penalty, options.presence_penalty
    values = scores.numpy()
    written = np.array(answer_ids if presence != 0.0 else (), dtype=np.int64)
    seen = np.array((*prompt_ids, *answer_ids) if repetition != 1.0 else written, dtype=np.int64)
    before = values[seen]
    # An id that occurs several times is written several times, each time the same.
    if repetition != 1.0:
        values[seen] = np.where(before > 0, before / repetition, before * repetition)
    values[written] -= presence
    try:
        yield
    finally:
        values[seen] = before


def keep_top_k(scores: torch.Tensor, top_k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the highest `top_k` scores in falling order and their ids; 0 keeps all."""
    size = scores.shape[-1]
    count = size if top_k <= 0 else min(top_k, size)
    if size % BLOCK or count * BLOCK >= size:
        kept = torch.topk(scores, count)
        return kept.values, kept.indices
    # The highest lie in the blocks with the highest maxima: of 151,936 0.1 instead of 0.6 ms.
    blocks = scores.view(-1, BLOCK)
    best = torch.topk(blocks.amax(dim=1), count).indices
    kept = torch.topk(blocks.index_select(0, best).view(-1), count)
    # numpy, as in `draw`: behind a pass nothing is in the processor's caches, and each small
    # operator of torch's then takes some ten microseconds.
    places = kept.indices.numpy()
    ids = best.numpy()[places // BLOCK] * BLOCK + places % BLOCK
    return kept.values, torch.from_numpy(ids)


def keep_top_p(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """Return falling probabilities with zeros behind the smallest set that reaches `top_p`.

    One always stays.
    """
    if top_p >= 1.0:
        return probabilities
    mass_before = probabilities.cumsum(0) - probabilities
    keep = mass_before < top_p
    keep[0] = True
    return torch.where(keep, probabilities, torch.zeros_like(probabilities))


def draw(probabilities: torch.Tensor, threshold: float) -> int:
    """Return the place in falling probabilities where their sum passes `threshold` of the whole.

    `threshold` lies in [0, 1). A place without a probability is never returned.
    """
    shares = probabilities.numpy().astype(np.float64)
    sums = shares.cumsum()
    place = int(sums.searchsorted(threshold * sums[-1], side="right"))
    return min(place, int(shares.nonzero()[0][-1]))
