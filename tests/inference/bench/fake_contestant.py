"""A contestant that knows nothing: `python -m tests.inference.bench.fake_contestant [FAULT]`.

Its figures are numbers of its own choosing. Faults: dies-at-start, dies-at-once, fails-later (after
the warm-up), raises, is-short, has-a-server.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import count

from inference.bench.wire import Answer, Answerer, Conversation, Ready, serve

FIRST_S = 0.5
TOTAL_S = 2.5


def start(fault: str) -> tuple[Ready, Answerer]:
    """Return a contestant with a fault, or with none."""
    sys.stdout.write("a library prints this\n")
    pid = os.getpid()
    if fault == "dies-at-start":
        sys.exit("there is no model")
    if fault == "has-a-server":
        pid = subprocess.Popen(["sleep", "1000"]).pid

    asked = count()

    def answer(conversations: Sequence[Conversation], tokens: int) -> list[Answer]:
        times = next(asked)
        if fault == "dies-at-once":
            sys.stderr.write("out of memory")
            sys.stderr.flush()
            os._exit(1)
        if fault == "raises" or (fault == "fails-later" and times):
            raise ValueError("this picture is too large")
        written = tokens - 1 if fault == "is-short" else tokens
        return [make_answer(conversation, written) for conversation in conversations]

    return Ready("a fake", pid), answer


def make_answer(conversation: Conversation, tokens: int) -> Answer:
    """Return the same figures always; the text repeats the question's."""
    return Answer(
        text=conversation[-1].text,
        tokens=tokens,
        prompt_tokens=100,
        first_s=FIRST_S,
        total_s=TOTAL_S,
        decode_tokens_per_s=10.0,
        vision_s=0.25,
    )


if __name__ == "__main__":
    serve(lambda: start(sys.argv[1] if len(sys.argv) > 1 else ""))
