"""Start the real worker, which kills itself with SIGKILL where a file tells it to.

Run as a program, with the settings in the environment. The file named by DIE_FILE holds a number
of tokens, or `prefill`; only a first attempt dies of it, so that the next one may go on. A
question that contains `slowly` is answered with sixty words over about two seconds.
"""

from __future__ import annotations

import functools
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.core.management import call_command

from inference.backends import scripted
from inference.requests import StageProgress
from tests.browser import scripted_server

if TYPE_CHECKING:
    from chat.generation.answer import Answer
    from inference.backends.base import Cancellation
    from inference.requests import Event, Stage

STEP_S = 0.03


class SwiftGate(scripted.Gate):
    """Takes the steps of a slow answer one by one, as its answer's thread was told."""

    def pass_step(self, stage: Stage, cancellation: Cancellation) -> None:
        """Wait a little."""
        if getattr(scripted_server._pace, "is_slow", False):
            cancellation.wait(STEP_S)


def main() -> None:
    """Prepare to die, then work."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "vlsite.settings")
    django.setup()
    # After the setup: it imports models.
    from chat.generation import answer

    if os.environ["VL_BACKEND"] == "scripted":
        scripted.Script = functools.partial(  # type: ignore[misc,assignment]
            scripted.Script, answer=scripted_server.answer, gate=SwiftGate()
        )
    take = answer.Answer._take

    def take_and_die(self: Answer, event: Event | None) -> None:
        take(self, event)
        if self.claim.attempt == 1 and _is_time(len(self._token_ids), event):
            os.kill(os.getpid(), signal.SIGKILL)

    answer.Answer._take = take_and_die  # type: ignore[method-assign]
    call_command("work")


def _is_time(token_count: int, event: Event | None) -> bool:
    told = Path(os.environ["DIE_FILE"]).read_text(encoding="ascii")
    if told == "prefill":
        return isinstance(event, StageProgress) and event.stage == "prefill"
    return bool(told) and token_count >= int(told)


if __name__ == "__main__":
    main()
