"""The generated family of hostile texts through the renderer; a browser sees them, too."""

from __future__ import annotations

import os

import pytest

from chat.rendering import render
from tests.chat.hostile_text import HOLDERS, payloads
from tests.chat.test_rendering_hostile import assert_harmless

BATCH = 500
BATCHES = int(os.environ.get("ATTACK_TEXT_BATCHES", "3"))


@pytest.mark.parametrize("seed", range(BATCHES))
def test_no_hostile_text_becomes_dangerous(seed: int) -> None:
    for text in payloads(seed, BATCH):
        assert_harmless(render(text))


@pytest.mark.parametrize("seed", range(BATCHES))
def test_what_was_written_so_far_is_as_harmless(seed: int) -> None:
    """An answer that was stopped is rendered as well, wherever it ended."""
    for text in payloads(1000 + seed, len(HOLDERS)):
        for end in range(0, len(text), 7):
            assert_harmless(render(text[:end]))


def test_the_family_is_made_of_what_it_should_be() -> None:
    """Guard the generator: a family without teeth would prove nothing."""
    texts = list(payloads(0, 2000))

    assert len(set(texts)) > 1900
    for part in ("<script>", "onerror", "javascript:", "evil.example", "attacked()", "\u202e"):
        assert sum(part in text.lower() for text in texts) > 20, part
