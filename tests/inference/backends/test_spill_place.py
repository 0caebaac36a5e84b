"""Each user has a folder of its own, and finds it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from inference.backends import spill_place
from inference.backends.spill_place import ClaimedFolder, claim_folder


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Return what releases the claims in the end."""
    with ExitStack() as stack:
        yield stack


def claim(parent: Path, stack: ExitStack) -> ClaimedFolder:
    claimed = claim_folder(parent)
    stack.callback(claimed.release)
    return claimed


def test_two_claims_never_share_a_folder(tmp_path: Path, stack: ExitStack) -> None:
    assert claim(tmp_path, stack).path != claim(tmp_path, stack).path


def test_released_folder_is_the_next_ones_with_what_is_in_it(
    tmp_path: Path, stack: ExitStack
) -> None:
    first = claim_folder(tmp_path)
    (first.path / "page").write_bytes(b"1")
    first.release()

    assert (claim(tmp_path, stack).path / "page").exists()


def test_too_many_users_are_refused(
    tmp_path: Path, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_place, "MOST_USERS", 2)
    claim(tmp_path, stack)
    claim(tmp_path, stack)

    with pytest.raises(OSError, match="2 folders"):
        claim_folder(tmp_path)
