"""Pages: counted, copied, and as many as the budget allows."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from inference.engine.page_pool import (
    PagePool,
    allocate_memory,
    count_page_bytes,
    pages_within,
)
from inference.engine.shape import TextShape
from tests.inference.engine.hashing_model import make_pool

SHAPE = TextShape(
    layers=28,
    hidden=2048,
    heads=16,
    kv_heads=8,
    head_dim=128,
    intermediate=6144,
    vocabulary=151_936,
    rms_eps=1e-6,
    rope_theta=5e6,
    mrope_section=(24, 20, 20),
    is_tied=True,
    max_positions=262_144,
)
PAGE_BYTES = 63 * 1024 * 16


@pytest.mark.parametrize(
    ("dtype", "token_kib"),
    [(torch.int8, 63), (torch.bfloat16, 112), (torch.float32, 224)],
    ids=["int8", "bfloat16", "float32"],
)
def test_a_token_of_the_2b_shape_takes_so_much(dtype: torch.dtype, token_kib: int) -> None:
    assert count_page_bytes(SHAPE, dtype) == 16 * token_kib * 1024


@pytest.mark.parametrize(
    ("budget", "pages"),
    [(-5, 0), (0, 0), (PAGE_BYTES - 1, 0), (PAGE_BYTES, 1), (10 * PAGE_BYTES + 9, 10)],
)
def test_a_budget_holds_whole_pages(budget: int, pages: int) -> None:
    assert pages_within(budget, SHAPE, torch.int8) == pages


@pytest.mark.parametrize(
    ("dtype", "width"),
    [(torch.int8, 144), (torch.bfloat16, 128), (torch.float32, 128)],
    ids=["int8", "bfloat16", "float32"],
)
def test_memory_has_the_kernels_shape_and_the_counted_size(dtype: torch.dtype, width: int) -> None:
    memory = allocate_memory(3, SHAPE, dtype)

    assert memory.shape == (28, 3, 2, 8, 16, width)
    assert memory.is_contiguous()
    assert not memory[:, 0].any()
    assert PagePool(memory).page_bytes == count_page_bytes(SHAPE, dtype)


def read_resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_nobody_wrote_to_is_not_taken_from_the_system() -> None:
    before = read_resident_bytes()

    memory = allocate_memory(2000, SHAPE, torch.bfloat16)

    # It used to be 3.6 GB at once, for an idle cache.
    assert memory.nbytes > 3_000_000_000
    assert read_resident_bytes() - before < 100_000_000


@pytest.mark.parametrize(
    "shape", [(2, 3, 2, 1, 5, 1), (2, 3, 2, 1, 4)], ids=["page size", "dimensions"]
)
def test_memory_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"not \(L, G, 2, C, 4, W\)"):
        PagePool(torch.zeros(shape), 4)


def test_every_page_is_handed_out_once() -> None:
    pool = make_pool(3)

    assert [pool.allocate() for _ in range(4)] == [0, 1, 2, None]
    assert pool.free_count == 0
    assert pool.list_free() == []


def test_a_shared_page_is_free_when_the_last_holder_lets_go() -> None:
    pool = make_pool(1)
    page = pool.allocate()
    assert page == 0
    pool.share(page)

    pool.release(page)
    assert (pool.references(page), pool.free_count) == (1, 0)

    pool.release(page)
    assert (pool.references(page), pool.free_count) == (0, 1)


@pytest.mark.parametrize("action", ["share", "release"])
def test_a_free_page_cannot_be_held(action: str) -> None:
    with pytest.raises(ValueError, match="page 0 is free"):
        getattr(make_pool(1), action)(0)


@pytest.mark.parametrize(("tokens", "pages"), [(0, 0), (1, 1), (4, 1), (5, 2)])
def test_tokens_take_whole_pages(tokens: int, pages: int) -> None:
    assert make_pool(1).count_pages(tokens) == pages


def test_copying_a_page_copies_all_layers_and_nothing_else() -> None:
    memory = torch.arange(2 * 3 * 2 * 2 * 4 * 3, dtype=torch.float32).reshape(2, 3, 2, 2, 4, 3)
    before = memory.clone()

    PagePool(memory, 4).copy_page(2, 0)

    assert torch.equal(memory[:, 0], before[:, 2])
    assert torch.equal(memory[:, 1:], before[:, 1:])


@pytest.mark.parametrize("dtype", [torch.int8, torch.bfloat16, torch.float32])
def test_what_goes_out_comes_in_unchanged(dtype: torch.dtype) -> None:
    memory = (40 * torch.randn((2, 4, 2, 2, 4, 3))).to(dtype)
    pool = PagePool(memory, 4)
    wanted = memory[:, [3, 1]].clone()

    contents = pool.copy_out([3, 1])
    memory[:, [3, 1]] = 0.0
    pool.copy_in(0, contents[0])
    pool.copy_in(2, contents[1])

    assert contents.shape == (2, pool.page_bytes)
    assert torch.equal(memory[:, [0, 2]], wanted)
