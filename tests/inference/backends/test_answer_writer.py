"""The answer's end: by an end token, a stop string, a wish, at the limit, or out of a loop."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from inference.backends.answer_writer import AnswerWriter
from inference.backends.base import Cancellation
from inference.backends.layer_watch import PrefillProgress
from inference.loop_guard import CELLS, WORDS
from inference.requests import Event, FinishReason, GenerationRequest, SamplingOptions
from inference.sampling import Choice
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
    token_ids: Sequence[int],
    *,
    prefix: Sequence[int] = (),
    is_guarded: bool = True,
    request: GenerationRequest | None = None,
) -> tuple[AnswerWriter, list[Event]]:
    """Write tokens, also those behind the answer's end, as backends that are ahead do."""
    events: list[Event] = []
    options = SamplingOptions(is_loop_guarded=is_guarded)
    writer = AnswerWriter(
        request or make_request(options=options, prefix=tuple(prefix)),
        detokenizer=IncrementalDetokenizer(decode_bytes),
        token_bytes=lambda token_id: bytes([token_id]),
        eos_ids=frozenset({END}),
        emit=events.append,
        progress=PrefillProgress(emit=events.append, cancellation=Cancellation(), prompt_tokens=1),
    )
    for token_id in token_ids:
        writer.take(Choice(token_id, None))
    return writer, events


@ANY_LOOP
def test_loop_ends_the_answer_with_its_last_token_shown(before: str, unit: str) -> None:
    answer = (before + unit * 60).encode()

    writer, events = write(answer)

    assert writer.end(is_cancelled=False) is FinishReason.REPETITION
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
    assert {writer.end(is_cancelled=False) for writer in ends} == {FinishReason.REPETITION}


def test_prefix_that_loops_is_a_complete_answer() -> None:
    writer, events = write((), prefix=b"no " * WORDS.tokens)

    assert writer.is_complete
    assert writer.end(is_cancelled=True) is FinishReason.REPETITION
    assert not events


def test_loop_goes_on_where_nobody_guards() -> None:
    answer = b"cat " * CELLS.tokens

    writer, _ = write(answer, is_guarded=False)

    assert not writer.is_complete
    assert bytes(writer.answer_ids) == answer
    assert writer.end(is_cancelled=False) is FinishReason.LENGTH


def test_end_token_just_before_the_loop_is_complete_stops_the_answer() -> None:
    answer = [*(b"a" * (WORDS.tokens - 1)), END]

    writer, _ = write(answer)

    assert writer.is_complete
    assert writer.end(is_cancelled=True) is FinishReason.STOP
    assert writer.answer_ids == answer[:-1]


# Stop strings ---------------------------------------------------------------------------------

COUNTING = "one, two, three, four"


def write_until(
    stop: str, text: str, *, prefix: bytes = b"", shown_chars: int = 0
) -> tuple[AnswerWriter, list[Event]]:
    options = SamplingOptions(stop=(stop,))
    request = make_request(options=options, prefix=tuple(prefix), shown_chars=shown_chars)
    return write(text.encode(), request=request)


def test_answer_ends_before_a_stop_string_that_several_tokens_make() -> None:
    writer, events = write_until("three", COUNTING)

    assert read_text(events) == "one, two, "
    assert read_token_ids(events) == tuple(b"one, two, three")
    assert writer.end(is_cancelled=False) is FinishReason.STOP


@pytest.mark.parametrize("cut", range(len("one, two, three") + 1))
def test_answer_taken_over_anywhere_ends_before_the_same_stop_string(cut: int) -> None:
    shown = read_text(write_until("three", COUNTING[:cut])[1])

    writer, events = write_until("three", COUNTING[cut:], prefix=COUNTING[:cut].encode())

    assert shown + read_text(events) == "one, two, "
    assert bytes(writer.answer_ids) == b"one, two, three"
    assert writer.end(is_cancelled=False) is FinishReason.STOP


def test_beginning_of_a_stop_string_is_shown_when_the_answer_ends_within() -> None:
    writer, events = write_until("three", "one, thr")
    before = read_text(events)

    reason = writer.end(is_cancelled=False)

    assert (before, read_text(events)) == ("one, ", "one, thr")
    assert reason is FinishReason.LENGTH


def test_beginning_of_a_stop_string_stays_back_where_another_worker_may_go_on() -> None:
    writer, events = write_until("three", "one, thr")

    assert writer.end(is_cancelled=True) is FinishReason.STOPPED
    assert read_text(events) == "one, "


@pytest.mark.parametrize(("rest", "shown"), [("ee!", ""), ("ow on", "ow on")])
def test_answer_that_goes_on_behind_its_limit_shows_nothing_twice(rest: str, shown: str) -> None:
    _, events = write_until("three", rest, prefix=b"one, thr", shown_chars=len("one, thr"))

    assert read_text(events) == shown
