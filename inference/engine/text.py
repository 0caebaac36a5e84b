"""The language model: rows of several sequences, through the layers in pieces, to logits.

One pass serves chunks of prompts and single tokens of running answers alike: each sequence brings
its next rows, with their positions, the pages of its cache and the picture features that fall on
them. A pass may be dropped between layers; the pages then hold keys and values of some layers,
which the next pass over the same rows overwrites. Thread-confined, one pass at a time a sequence.
Letters: M rows of a pass, n rows of one sequence, B sequences, R rows with picture features,
H hidden width, N tokens of a picture.
Source: Qwen3VLTextModel and Qwen3VLForConditionalGeneration, transformers 5.24.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from inference.engine.kernels.base import Kernels, TextStep
from inference.engine.rope import Positions, TextRotary
from inference.engine.vision import PictureFeatures
from inference.engine.weights import ModelWeights


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureSpan:
    """A run of a picture's tokens among the rows of a sequence.

    Row `first_row` of the sequence's rows gets token `first_token` of `features`, the following
    `count` - 1 rows the next ones. A chunk that ends within a picture has a part of it.
    """

    features: PictureFeatures
    first_row: int
    first_token: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceRows:
    """The next rows of one sequence.

    `token_ids` (n), at least one; n `positions`, see rope.py; `first_index` is the cache index of
    the first row, that is how many tokens stand before it; `pages` in order, which cover all tokens
    up to the last row; `features` of the picture tokens among the rows. Logits can be had of the
    last `scored` rows only, None: of all; the last layer does without the others.
    """

    token_ids: Sequence[int]
    positions: Positions
    first_index: int
    pages: Sequence[int]
    features: Sequence[FeatureSpan] = ()
    scored: int | None = None


class TextModel:
    """Embeds, runs and reads out; one for each loaded model."""

    def __init__(self, weights: ModelWeights, kernels: Kernels, cache: Tensor) -> None:
        """Prepare the layers over `cache` (L, G, 2, C, S, W); `kernels` packed the weights."""
        self.weights = weights
        self.kernels = kernels
        self.cache = cache
        self.rotary = TextRotary(weights.shape.text)
        self.layers = kernels.text_layers(weights.shape.text, weights.text_layers)

    def start(self, sequences: Sequence[SequenceRows]) -> TextPass:
        """Begin a pass of the next rows of some sequences.

        Raises:
            ValueError: no rows, a token that the vocabulary lacks, positions of another length,
                features on rows that are not there or no image tokens, more scored than there are.
        """
        if not sequences:
            raise ValueError("expected at least one sequence")
        for sequence in sequences:
            self._check(sequence)
        return TextPass(self, sequences)

    def _check(self, sequence: SequenceRows) -> None:
        count = len(sequence.token_ids)
        positions = sequence.positions
        shape = (3, len(positions)) if isinstance(positions, range) else tuple(positions.shape)
        if count < 1 or shape != (3, count):
            raise ValueError(f"expected positions of shape (3, {count}), got {shape}")
        if not 0 <= (sequence.scored or 0) <= count:
            raise ValueError(f"expected at most {count} scored rows, got {sequence.scored}")
        vocabulary = self.weights.shape.text.vocabulary
        if not 0 <= min(sequence.token_ids) <= max(sequence.token_ids) < vocabulary:
            raise ValueError(f"expected token ids below {vocabulary}")
        for span in sequence.features:
            self._check_span(span, sequence.token_ids)

    def _check_span(self, span: FeatureSpan, token_ids: Sequence[int]) -> None:
        image, length = self.weights.shape.image_token_id, len(span.features.tokens)
        end = span.first_token + span.count
        if span.count < 1 or not 0 <= span.first_token < end <= length:
            raise ValueError(f"the picture has {length} tokens, not {span.first_token} to {end}")
        rows = token_ids[span.first_row : span.first_row + span.count]
        if span.first_row < 0 or list(rows) != [image] * span.count:
            raise ValueError(f"the rows from {span.first_row} are not {span.count} image tokens")


class TextPass:
    """Rows on their way through the layers."""

    def __init__(self, model: TextModel, sequences: Sequence[SequenceRows]) -> None:
        """Embed the rows; `TextModel.start` has checked them."""
        self._model = model
        self._starts = list(accumulate((len(s.token_ids) for s in sequences), initial=0))
        ids = torch.tensor([i for s in sequences for i in s.token_ids])
        self._scored = [
            row
            for s, end in zip(sequences, self._starts[1:], strict=True)
            for row in range(end - (len(s.token_ids) if s.scored is None else s.scored), end)
        ]
        cos, sin = model.rotary.angles_of([s.positions for s in sequences])
        self._step = TextStep(
            hidden=model.kernels.unpack_rows(model.weights.embedding, ids),
            cos=cos,
            sin=sin,
            row_starts=torch.tensor(self._starts, dtype=torch.int32),
            first_index=torch.tensor([s.first_index for s in sequences], dtype=torch.int32),
            page_tables=_page_tables(sequences),
            cache=model.cache,
            scored=torch.tensor(self._scored, dtype=torch.int32),
        )
        self._place_features(sequences)
        self.layers_done = 0

    @property
    def layers(self) -> int:
        """Return how many layers the pass takes."""
        return self._model.weights.shape.text.layers

    @property
    def row_starts(self) -> Sequence[int]:
        """Return the first row of each sequence in the pass, and the number of rows behind them."""
        return self._starts

    def step(self, layers: int | None = None) -> bool:
        """Run the next `layers` layers, or all that are left; return whether any are left.

        Raises:
            ValueError: all layers are done, or pages that do not cover the rows.
        """
        first, left = self.layers_done, self.layers - self.layers_done
        count = left if layers is None else min(layers, left)
        if count < 1:
            raise ValueError(f"{first} layers are done, cannot run {layers} more")
        self._model.layers.run(self._step, first, first + count)
        self.layers_done = first + count
        return self.layers_done < self.layers

    def logits(self, rows: Sequence[int] | None = None) -> Tensor:
        """Return the logits (rows, vocabulary) float32 of some rows of the pass.

        Without `rows` those of the last row of each sequence. Sequence i owns the rows from
        `row_starts[i]` to `row_starts[i + 1]`.

        Raises:
            ValueError: layers are left, or a row is none of the scored.
        """
        if self.layers_done < self.layers:
            raise ValueError(f"{self.layers - self.layers_done} layers are left")
        weights = self._model.weights
        asked = [end - 1 for end in self._starts[1:]] if rows is None else list(rows)
        if not set(asked) <= set(self._scored):
            raise ValueError(f"expected scored rows, {self._scored}, got {asked}")
        norm, hidden = weights.final_norm, self._step.hidden
        if asked != list(range(len(hidden))):
            hidden = hidden[asked]
        normed = functional.rms_norm(hidden, norm.shape, norm, weights.shape.text.rms_eps)
        return self._model.kernels.linear(normed, weights.lm_head)

    def _place_features(self, sequences: Sequence[SequenceRows]) -> None:
        """Put features in place of image tokens, and their deep-stack levels beside them."""
        rows: list[int] = []
        parts: list[PictureFeatures] = []
        for start, sequence in zip(self._starts, sequences, strict=False):
            for span in sequence.features:
                first = start + span.first_row
                rows.extend(range(first, first + span.count))
                parts.append(_cut(span))
        if not parts:
            return
        step = self._step
        step.hidden[rows] = torch.cat([part.tokens for part in parts]).float()
        deep = torch.cat([part.deep for part in parts], dim=1).float()
        if len(deep):
            step.deep = deep
            step.deep_rows = torch.tensor(rows, dtype=torch.int32)


def _cut(span: FeatureSpan) -> PictureFeatures:
    tokens = slice(span.first_token, span.first_token + span.count)
    return PictureFeatures(span.features.tokens[tokens], span.features.deep[:, tokens])


def _page_tables(sequences: Sequence[SequenceRows]) -> Tensor:
    """Return (B, most pages) int32, -1 behind the end of each."""
    longest = max(len(s.pages) for s in sequences)
    return torch.tensor(
        [[*s.pages, *([-1] * (longest - len(s.pages)))] for s in sequences], dtype=torch.int32
    )
