"""The protocol's lines say what they were made of, and others are refused."""

from __future__ import annotations

import json

import pytest

from inference.bench.wire import (
    Line,
    decode_answers,
    decode_ready,
    decode_task,
    encode_task,
)


def test_task_comes_back_from_its_line() -> None:
    conversations = [(Line("user", "Was ist das?\n", "a.png"), Line("assistant", "Ein Apfel."))]

    line = encode_task(conversations, 5)

    assert "\n" not in line
    assert decode_task(line) == (conversations, 5)


@pytest.mark.parametrize("line", ["", "[]", "Loading weights", '{"answers": []}'])
def test_line_that_does_not_say_ready_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_ready(line)


def test_failure_of_a_contestant_is_raised_in_its_words() -> None:
    with pytest.raises(ValueError, match="out of memory"):
        decode_answers(json.dumps({"error": "out of memory"}))


def test_line_that_is_no_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="expected answers"):
        decode_answers(json.dumps({"description": "ready"}))
