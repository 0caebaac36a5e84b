"""Run a management command (`serve`, `work`) with a scripted model that questions pace.

`python -m tests.faults.scripted serve`, with the settings in the environment. A question such as
`words=40 decode_ms=20 prefill_ms=300 vision_ms=300` is answered with so many words, at that pace a
step; with `held=7` its second half only once number 7 is let go (`release`). Steps end early when
the reply is stopped, as a real model's do.
"""

from __future__ import annotations

import functools
import os
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.management import call_command

from inference.backends import scripted
from inference.requests import GenerationRequest, Stage

if TYPE_CHECKING:
    from inference.backends.base import Cancellation

LOOK_S = 0.05

_paces = threading.local()


def numbers_of(question: str) -> dict[str, int]:
    """Read what a question asks for."""
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", question)}


def words(count: int) -> str:
    """Give the answer of so many words; each its own, some outside ASCII and the BMP."""
    return " ".join(f"wörd{number}{'🌊' * (number % 7 == 0)}" for number in range(count))


def release(data_folder: Path, number: int) -> None:
    """Let all answers go on that are held by this number."""
    _release_file(data_folder, number).touch()


def _release_file(data_folder: Path, number: int) -> Path:
    return data_folder / f"released-{number}"


class PacedGate(scripted.Gate):
    """Takes each step at the pace that the question of this thread asked for."""

    def pass_step(self, stage: Stage, cancellation: Cancellation) -> None:
        """Wait so long, and until it is let go; or until the reply is stopped."""
        asked: dict[str, int] = getattr(_paces, "asked", {})
        cancellation.wait(asked.get(f"{stage.value}_ms", 0) / 1000)
        _paces.words = getattr(_paces, "words", 0) + (stage is Stage.DECODE)
        if "held" in asked and _paces.words > asked["words"] // 2:
            released = _release_file(settings.VL_DATA_DIR, asked["held"])
            while not released.exists() and not cancellation.wait(LOOK_S):
                pass


def answer(request: GenerationRequest) -> str:
    """Answer with as many words as asked for; set the pace of this thread."""
    _paces.asked = numbers_of(request.messages[-1].text)
    _paces.words = 0
    return words(_paces.asked.get("words", 5))


def main() -> None:
    """Replace the script, then run the command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vlsite.settings")
    django.setup()
    settings.ACCOUNT_RATE_LIMITS = False  # everybody here comes from one address
    scripted.Script = functools.partial(  # type: ignore[misc,assignment]
        scripted.Script, answer=answer, gate=PacedGate()
    )
    call_command(*sys.argv[1:])


if __name__ == "__main__":
    main()
