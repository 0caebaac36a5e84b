"""Events on their way out: in order, none lost, none between two choices."""

from __future__ import annotations

from contextlib import suppress

import pytest

from inference.engine import scheduler
from inference.engine.outbox import Outbox
from inference.engine.sequence import PromptRead, SequenceEvent, TokenChosen
from inference.sampling import Choice, choose
from tests.inference.engine.fake_engine import Engine, ask, words
from tests.inference.engine.fake_network import Asker

EVENTS: list[SequenceEvent] = [PromptRead(1, 2), TokenChosen(3), TokenChosen(4)]


@pytest.fixture
def asker() -> Asker:
    return ask(1, 2)


def test_event_is_told_at_once_where_nothing_is_held_back(asker: Asker) -> None:
    Outbox().tell(asker.sequence, EVENTS[0])

    assert asker.events == EVENTS[:1]


def test_events_are_held_back_and_told_in_their_order(asker: Asker) -> None:
    outbox = Outbox()

    with outbox.holding():
        for event in EVENTS:
            outbox.tell(asker.sequence, event)
        before = list(asker.events)

    assert before == []
    assert asker.events == EVENTS


def test_delivered_events_are_told_once(asker: Asker) -> None:
    outbox = Outbox()

    with outbox.holding():
        outbox.tell(asker.sequence, EVENTS[0])
        outbox.deliver()
        before = list(asker.events)

    assert before == asker.events == EVENTS[:1]


def test_held_events_are_told_whatever_is_raised_meanwhile(asker: Asker) -> None:
    outbox = Outbox()

    with suppress(KeyError), outbox.holding():
        outbox.tell(asker.sequence, EVENTS[0])
        raise KeyError
    outbox.tell(asker.sequence, EVENTS[1])

    assert asker.events == EVENTS[:2]


def test_tokens_of_a_step_are_told_when_all_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    # An event wakes a thread, which used to take the interpreter's lock from the next choice.
    engine, order = Engine(), list[str]()
    askers = [ask(*words(5, n), max_tokens=9) for n in range(3)]
    for asker in askers:
        _note_tokens(asker, order)
    engine.add(*askers)
    engine.run(lambda: all(asker.tokens for asker in askers))
    order.clear()

    def note_choice(*arguments: object, **options: object) -> Choice:
        order.append("chosen")
        return choose(*arguments, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(scheduler, "choose", note_choice)
    engine.step()

    assert order == ["chosen"] * 3 + ["told"] * 3


def _note_tokens(asker: Asker, order: list[str]) -> None:
    keep = asker.sequence.emit

    def note(event: SequenceEvent) -> None:
        keep(event)
        if isinstance(event, TokenChosen):
            order.append("told")

    asker.sequence.emit = note
