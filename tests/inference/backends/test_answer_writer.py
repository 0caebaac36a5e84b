"""The answer's end: by an end token, by a wish, at the limit, or because it only repeats itself."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inference.backends.answer_writer import AnswerWriter
from inference.backends.base import Cancellation
from inference.backends.layer_watch import PrefillProgress
from inference.loop_guard import CELLS, WORDS
from inference.requests import Event, FinishReason, SamplingOptions
from inference.testing import make_request, read_text, read_token_ids
from inference.tokenizer import IncrementalDetokenizer

END = 0
LOOPS = {
    "words": ("I see a ", "cat "),
    "rows": ("| a | b |\n|---|---|\n| 1 | 2 |\n", "| x | y |\n"),
    "characters of several bytes": ("我看到", "猫"),
}
ANY_LOOP = pytest.mark.parametrize(
    ("before", "unit"), [pytest.param(*loop, id=name) for name, loop in LOOPS.items()]
)


def decode_bytes(token_ids: Sequence[int]) -> str:
    return bytes(token_ids).decode("utf-8", errors="replace")


def write(
    token_ids: Sequence[int], *, prefix: Sequence[int] = (), is_guarded: bool = True
) -> tuple[AnswerWriter, list[Event]]:
    """Write tokens, also those behind the answer's end, as backends that are ahead do."""
    events: list[Event] = []
    options = SamplingOptions(is_loop_guarded=is_guarded)
    writer = AnswerWriter(
        make_request(options=options, prefix=tuple(prefix)),
        detokenizer=IncrementalDetokenizer(decode_bytes),
        eos_ids=frozenset({END}),
        emit=events.append,
        progress=PrefillProgress(emit=events.append, cancellation=Cancellation(), prompt_tokens=1),
    )
    for token_id in token_ids:
        writer.take_token(token_id)
    return writer, events


@ANY_LOOP
def test_loop_ends_the_answer_with_its_last_token_shown(before: str, unit: str) -> None:
    answer = (before + unit * 60).encode()

    writer, events = write(answer)

    assert writer.finish_reason(is_cancelled=False) is FinishReason.REPETITION
    assert WORDS.tokens <= len(writer.answer_ids) < len(answer)
    assert read_token_ids(events) == tuple(answer[: len(writer.answer_ids)])
    assert (before + unit * 60).startswith(read_text(events))


@ANY_LOOP
def test_loop_that_is_taken_over_ends_at_the_same_token(before: str, unit: str) -> None:
    answer = (before + unit * 60).encode()
    whole, _ = write(answer)
    length = len(whole.answer_ids)

    ends = [write(answer[cut:], prefix=answer[:cut])[0] for cut in range(length + 1)]

    assert {len(writer.answer_ids) for writer in ends} == {length}
    assert {writer.finish_reason(is_cancelled=False) for writer in ends} == {
        FinishReason.REPETITION
    }


def test_prefix_that_loops_is_a_complete_answer() -> None:
    writer, events = write((), prefix=b"no " * WORDS.tokens)

    assert writer.is_complete
    assert writer.finish_reason(is_cancelled=True) is FinishReason.REPETITION
    assert not events


def test_loop_goes_on_where_nobody_guards() -> None:
    answer = b"cat " * CELLS.tokens

    writer, _ = write(answer, is_guarded=False)

    assert not writer.is_complete
    assert bytes(writer.answer_ids) == answer
    assert writer.finish_reason(is_cancelled=False) is FinishReason.LENGTH


def test_end_token_just_before_the_loop_is_complete_stops_the_answer() -> None:
    answer = [*(b"a" * (WORDS.tokens - 1)), END]

    writer, _ = write(answer)

    assert writer.is_complete
    assert writer.finish_reason(is_cancelled=True) is FinishReason.STOP
    assert writer.answer_ids == answer[:-1]
