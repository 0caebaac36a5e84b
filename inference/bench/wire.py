"""What the benchmark and a contestant say to each other: a line of JSON each, over a pipe.

The contestant first says that it is ready, then answers one task after the other. A task is any
number of conversations that begin at once, each to be answered with the same number of tokens. Runs
in the peers' own environments: imports the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Line:
    """One message of a conversation; `role` is user or assistant, `picture` a PNG file or empty."""

    role: str
    text: str
    picture: str = ""


Conversation: TypeAlias = tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One conversation's answer.

    `first_s` and `total_s` count from the task's beginning to the first and the last token.
    `decode_tokens_per_s` leaves the first token out. `vision_s` is None where the contestant does
    not tell it.
    """

    text: str
    tokens: int
    prompt_tokens: int
    first_s: float
    total_s: float
    decode_tokens_per_s: float
    vision_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """The contestant would answer now: what it is, in words, and the process that computes."""

    description: str
    pid: int


Answerer: TypeAlias = Callable[[Sequence[Conversation], int], Sequence[Answer]]


def encode_task(conversations: Sequence[Conversation], tokens: int) -> str:
    """Return a task as its line."""
    lines = [[asdict(line) for line in conversation] for conversation in conversations]
    return json.dumps({"conversations": lines, "tokens": tokens})


def decode_task(text: str) -> tuple[list[Conversation], int]:
    """Return the conversations and the number of tokens of a task's line."""
    task = json.loads(text)
    conversations = [tuple(Line(**line) for line in lines) for lines in task["conversations"]]
    return conversations, int(task["tokens"])


def decode_ready(text: str) -> Ready:
    """Return what a contestant's first line says.

    Raises:
        ValueError: it is something else.
    """
    content = _decode_object(text)
    if set(content) != {"description", "pid"}:
        raise ValueError(f"expected a line that says ready, got {text[:200]!r}")
    return Ready(str(content["description"]), int(content["pid"]))


def decode_answers(text: str) -> list[Answer]:
    """Return the answers of a line.

    Raises:
        ValueError: the contestant says that it failed, or something else.
    """
    content = _decode_object(text)
    if "error" in content:
        raise ValueError(str(content["error"]))
    if "answers" not in content:
        raise ValueError(f"expected answers, got {text[:200]!r}")
    return [Answer(**answer) for answer in content["answers"]]


def serve(start: Callable[[], tuple[Ready, Answerer]]) -> None:
    """Be a contestant: start, say ready, answer tasks until the other side closes the pipe.

    Whatever libraries print goes to standard error: the first thing done is to keep standard output
    for the protocol.
    """
    channel = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(content: object) -> None:
        channel.write(json.dumps(content) + "\n")
        channel.flush()

    ready, answer = start()
    say(asdict(ready))
    for text in sys.stdin:
        try:
            answers = answer(*decode_task(text))
        except Exception as error:  # noqa: BLE001  # the benchmark reports it and goes on
            say({"error": f"{type(error).__name__}: {error}"})
        else:
            say({"answers": [asdict(answer) for answer in answers]})


def _decode_object(text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError(f"expected an object, got {text[:200]!r}")
    return content
