"""The garbage collector rests during an import, and is afterwards as it was."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from inference.backends.quick_import import collector_paused


def test_collector_runs_again_afterwards() -> None:
    with collector_paused():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.fixture
def nothing_frozen() -> Iterator[None]:
    """Let the collector look at everything before and after."""
    gc.unfreeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("nothing_frozen")
def test_collector_never_looks_at_what_modules_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with collector_paused():
        monkeypatch.setitem(sys.modules, "a_new_module", ModuleType("a_new_module"))

    assert gc.get_freeze_count() > 0


@pytest.mark.usefixtures("nothing_frozen")
def test_objects_stay_collectable_where_nothing_was_imported() -> None:
    with collector_paused():
        pass

    assert gc.get_freeze_count() == 0
