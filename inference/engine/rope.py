"""Where tokens and patches are: positions, rotary angles, the learnt table of a picture's patches.

A text token has the same position in time, row and column; the tokens of a picture share the time
and count rows and columns from it, and the text goes on behind the longer side. Patches lie in
merge-block order: the four that become one token follow each other. All results are exactly those
of transformers for still pictures; nothing here is rounded below float32.
Letters: T tokens, P patches, D head width, H hidden width.
Source: Qwen3VLModel.get_rope_index, Qwen3VLTextRotaryEmbedding, Qwen3VLVisionRotaryEmbedding and
transformers.vision_utils, release 5.24.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import torch
from torch import Tensor

from inference.engine.shape import TextShape

VISION_ROPE_THETA: Final = 10_000.0
"""Qwen3VLVisionConfig's own; no published checkpoint says another."""
TABLE_STEP: Final = 1024
MOST_TABLE_POSITIONS: Final = 8 * TABLE_STEP
"""Whose angles are kept, as far as they are asked for: 8 MiB with heads of 128."""

Positions: TypeAlias = Tensor | range
"""Of n tokens: time, row and column (3, n) int64, or a range where all three are the same."""


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """The rows and columns of patches of a picture; both are multiples of the merge size."""

    rows: int
    columns: int

    @property
    def patches(self) -> int:
        """Return how many patches the picture has."""
        return self.rows * self.columns

    def tokens(self, merge: int) -> int:
        """Return how many image tokens the picture takes in a prompt."""
        return self.patches // merge**2


@dataclass(frozen=True, slots=True)
class PromptPositions:
    """Time, row and column (3, T) int64 of each token, and the next token's position."""

    values: Tensor
    next_position: int

    def slice(self, first: int, last: int) -> Tensor:
        """Return (3, last - first): those of some tokens, for a chunk or after a cached prefix."""
        return self.values[:, first:last]


def as_tensor(positions: Positions) -> Tensor:
    """Return positions as (3, n) int64."""
    if isinstance(positions, range):
        return torch.arange(positions.start, positions.stop, positions.step).expand(3, -1)
    return positions


def prompt_positions(
    token_ids: Sequence[int],
    grids: Sequence[PatchGrid],
    *,
    image_token_id: int,
    merge: int,
    first_position: int = 0,
) -> PromptPositions:
    """Return the positions of a prompt of text and pictures, or of a piece that continues one.

    `grids` are those of the pictures in it, in order: each takes the next image token and as many
    behind it as it has. Image tokens behind the last picture are text: a model may write one.
    `first_position` is where the piece begins (the `next_position` of what stands before it).

    Raises:
        ValueError: a picture without its image tokens.
    """
    ids = list(token_ids)
    pieces, position, done = [], first_position, 0
    for number, grid in enumerate(grids):
        start = ids.index(image_token_id, done) if image_token_id in ids[done:] else len(ids)
        end = start + grid.tokens(merge)
        if start == end or ids[start:end] != [image_token_id] * (end - start):
            raise ValueError(f"picture {number}: expected {end - start} image tokens in a row")
        pieces.append(_text_positions(start - done, position))
        position += start - done
        pieces.append(_picture_positions(grid, merge, position))
        position += max(grid.rows, grid.columns) // merge
        done = end
    pieces.append(_text_positions(len(ids) - done, position))
    return PromptPositions(torch.cat(pieces, dim=1), position + len(ids) - done)


class TextRotary:
    """The rotary angles of the language model: time, row and column interleaved over the pairs."""

    def __init__(self, shape: TextShape) -> None:
        """Compute the frequencies of the D / 2 pairs and which of the three positions turns each.

        Source: mrope_section and rope_theta of config.json.
        """
        self._frequencies = _frequencies(shape.head_dim, shape.rope_theta)
        self._axes = torch.zeros(shape.head_dim // 2, dtype=torch.int64)
        for axis in (1, 2):
            self._axes[axis : shape.mrope_section[axis] * 3 : 3] = axis
        self._table = self.angles(as_tensor(range(0)))

    def angles_of(self, positions: Sequence[Positions]) -> tuple[Tensor, Tensor]:
        """Return cos and sin (T, D) float32 of the tokens of several sequences, one after another.

        Where they only write, whose tokens stand in ranges, they are looked up: behind a pass of
        the network each of the dozen operators takes some ten microseconds.
        """
        if all(isinstance(own, range) for own in positions):
            places = [place for own in positions for place in own]
            if 0 <= min(places, default=0) <= max(places, default=0) < MOST_TABLE_POSITIONS:
                return self._look_up(places)
        return self.angles(torch.cat([as_tensor(own) for own in positions], dim=1))

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cos and sin (T, D) float32 of positions (3, T) int64."""
        # The angle of each of the D / 2 pairs.
        turns = positions.float().T[:, self._axes] * self._frequencies
        return _both_halves(turns.cos()), _both_halves(turns.sin())

    def _look_up(self, places: list[int]) -> tuple[Tensor, Tensor]:
        steps = max(places, default=0) // TABLE_STEP + 1
        if steps * TABLE_STEP > len(self._table[0]):
            self._table = self.angles(as_tensor(range(steps * TABLE_STEP)))
        cos, sin = self._table
        rows = torch.tensor(places)
        return cos.index_select(0, rows), sin.index_select(0, rows)


def vision_angles(grid: PatchGrid, *, head_dim: int, merge: int) -> tuple[Tensor, Tensor]:
    """Return cos and sin (P, D) float32 of a picture's patches: row, column, row, column quarters.

    Raises:
        ValueError: a grid that is not whole merge blocks.
    """
    places = torch.stack(_block_order(grid, merge), dim=1)
    frequencies = _frequencies(head_dim // 2, VISION_ROPE_THETA)
    # (P, 2, D / 4) -> (P, D / 2)
    turns = (places.float()[:, :, None] * frequencies).flatten(1)
    return _both_halves(turns.cos()), _both_halves(turns.sin())


def patch_positions(table: Tensor, grid: PatchGrid, *, merge: int) -> Tensor:
    """Return (P, H): the learnt square table (positions, H) stretched over a picture's grid.

    Bilinear, corners on corners.

    Raises:
        ValueError: a grid that is not whole merge blocks.
    """
    side = round(len(table) ** 0.5)
    rows, columns = _block_order(grid, merge)
    stretched = torch.zeros(grid.patches, table.shape[1])
    # One tap after the other: all four together would take 0.3 GB for the largest pictures.
    for row_taps, row_weights in _taps(rows, grid.rows, side):
        for column_taps, column_weights in _taps(columns, grid.columns, side):
            weights = (row_weights * column_weights)[:, None]
            stretched += table[row_taps * side + column_taps] * weights
    return stretched


def _taps(index: Tensor, size: int, side: int) -> list[tuple[Tensor, Tensor]]:
    """Return the two entries of `side` between which each index of `size` lies, with weights."""
    place = index.float() * (side - 1) / max(size - 1, 1)
    below = place.floor()
    share = place - below
    lower = below.long()
    return [(lower, 1 - share), ((lower + 1).clamp(max=side - 1), share)]


def _block_order(grid: PatchGrid, merge: int) -> tuple[Tensor, Tensor]:
    """Return row and column (P,) int64 of each patch, block after block, row-wise within one."""
    if min(grid.rows, grid.columns) < merge or grid.rows % merge or grid.columns % merge:
        raise ValueError(f"expected whole blocks of {merge} by {merge} patches, got {grid}")
    # (block row, row in it, block column, column in it) -> (block row, block column, row, column)
    blocks = torch.arange(grid.patches).view(
        grid.rows // merge, merge, grid.columns // merge, merge
    )
    order = blocks.transpose(1, 2).flatten()
    return order // grid.columns, order % grid.columns


def _text_positions(count: int, first: int) -> Tensor:
    return torch.arange(first, first + count).expand(3, -1)


def _picture_positions(grid: PatchGrid, merge: int, first: int) -> Tensor:
    rows, columns = torch.arange(grid.rows // merge), torch.arange(grid.columns // merge)
    places = torch.cartesian_prod(torch.zeros(1, dtype=torch.int64), rows, columns)
    return places.T + first


def _frequencies(width: int, theta: float) -> Tensor:
    """Return (width / 2,) float32, written as in transformers so that no bit differs."""
    return 1.0 / (theta ** (torch.arange(0, width, 2, dtype=torch.float) / width))


def _both_halves(pairs: Tensor) -> Tensor:
    return torch.cat([pairs, pairs], dim=-1)
