"""A folder for one user at a time: workers on one machine must not share spilled pages' folders."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

MOST_USERS = 64
LOCK_FILE = "in-use"


class ClaimedFolder:
    """A folder that is nobody else's until `release`, or until the process ends in any way."""

    def __init__(self, path: Path, lock: int) -> None:
        """Hold the open descriptor `lock`: it is the claim."""
        self.path = path
        self._lock = lock

    def release(self) -> None:
        """Let the next one have the folder, with what is in it; once."""
        os.close(self._lock)


def claim_folder(parent: Path) -> ClaimedFolder:
    """Return the first numbered folder in `parent` that is not in use.

    Raises:
        OSError: none can be made, or 64 are in use.
    """
    for number in range(MOST_USERS):
        folder = parent / str(number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return ClaimedFolder(folder, lock)
    raise OSError(f"{MOST_USERS} folders in {parent} are in use already")
