"""The memory of the key-value cache, cut into pages that are counted and copied.

It knows pages by number and how many hold each; what is in them and who holds them it does not.
One thread at a time. Letters: L layers, G pages, C key-value heads, S tokens a page, W width of a
row (kernels/cache_rows).

Invariant: a page is free, or its count of references is positive, never both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference.engine.kernels.base import PAGE_TOKENS
from inference.engine.kernels.cache_rows import row_width
from inference.engine.mapped_memory import take_huge_pages
from inference.engine.shape import TextShape

_DIMENSIONS = 6
_TOKEN_AXIS = 4


def count_page_bytes(shape: TextShape, dtype: torch.dtype) -> int:
    """Return the size of one page: keys and values of S tokens in all layers."""
    row_bytes = row_width(shape.head_dim, dtype) * dtype.itemsize
    return 2 * shape.layers * shape.kv_heads * PAGE_TOKENS * row_bytes


def pages_within(budget_bytes: int, shape: TextShape, dtype: torch.dtype) -> int:
    """Return how many pages fit into the budget, possibly none."""
    return max(0, budget_bytes) // count_page_bytes(shape, dtype)


def allocate_memory(pages: int, shape: TextShape, dtype: torch.dtype) -> Tensor:
    """Return zeroed memory (L, G, 2, C, S, W) of at least one page, in huge pages if it can be.

    The system gives out its pages when they are first written, so an idle cache costs little
    (`torch.zeros` writes all of them); and a slot that no token has reached yet holds numbers,
    never the NaN of somebody's old memory.
    """
    width = row_width(shape.head_dim, dtype)
    size = (shape.layers, pages, 2, shape.kv_heads, PAGE_TOKENS, width)
    memory = take_huge_pages(pages * count_page_bytes(shape, dtype))
    return memory.content.view(dtype).view(size)


class PagePool:
    """Pages of one tensor (L, G, 2, C, S, W), handed out by number and counted."""

    def __init__(self, memory: Tensor, page_tokens: int = PAGE_TOKENS) -> None:
        """Take over the memory, all pages free.

        Raises:
            ValueError: the memory has another shape.
        """
        if memory.dim() != _DIMENSIONS or memory.shape[_TOKEN_AXIS] != page_tokens:
            raise ValueError(f"memory is {tuple(memory.shape)}, not (L, G, 2, C, {page_tokens}, W)")
        self.memory = memory
        self.page_tokens = page_tokens
        self.page_count = memory.shape[1]
        self.page_bytes = memory.nbytes // max(1, self.page_count)
        # The last one is handed out next, so a page that was just freed, still in the
        # processor's caches, comes first.
        self._free = list(range(self.page_count - 1, -1, -1))
        self._references = [0] * self.page_count

    @property
    def free_count(self) -> int:
        """Return how many pages nobody holds."""
        return len(self._free)

    def count_pages(self, tokens: int) -> int:
        """Return how many pages a number of tokens takes."""
        return -(-tokens // self.page_tokens)

    def references(self, page: int) -> int:
        """Return how many hold a page; 0 for a free one."""
        return self._references[page]

    def allocate(self) -> int | None:
        """Return a free page, held once from now on, or None; its content is anything."""
        if not self._free:
            return None
        page = self._free.pop()
        self._references[page] = 1
        return page

    def share(self, page: int) -> None:
        """Hold a page once more.

        Raises:
            ValueError: the page is free.
        """
        self._check_held(page)
        self._references[page] += 1

    def release(self, page: int) -> None:
        """Hold a page once less; the last one frees it.

        Raises:
            ValueError: the page is free already.
        """
        self._check_held(page)
        self._references[page] -= 1
        if not self._references[page]:
            self._free.append(page)

    def copy_page(self, source: int, target: int) -> None:
        """Copy a page's keys and values of all layers, 1 MB for the 2B shape in int8."""
        self.memory[:, target].copy_(self.memory[:, source])

    def copy_out(self, pages: Sequence[int]) -> NDArray[np.uint8]:
        """Return the content of some pages, (pages, bytes a page), in memory of its own."""
        # Page by page: choosing all at once and turning them around takes twice the time.
        own = torch.empty((len(pages), *self.memory[:, 0].shape), dtype=self.memory.dtype)
        for row, page in enumerate(pages):
            own[row].copy_(self.memory[:, page])  # (L, 2, C, S, W)
        contents: NDArray[np.uint8] = own.view(torch.uint8).reshape(len(pages), -1).numpy()
        return contents

    def copy_in(self, page: int, content: NDArray[np.uint8]) -> None:
        """Fill a page with one row of what `copy_out` gave."""
        target = self.memory[:, page]  # (L, 2, C, S, W)
        target.copy_(torch.from_numpy(content).view(self.memory.dtype).view(target.shape))

    def list_free(self) -> list[int]:
        """Return the free pages, for checks."""
        return list(self._free)

    def _check_held(self, page: int) -> None:
        if not self._references[page]:
            raise ValueError(f"page {page} is free")
