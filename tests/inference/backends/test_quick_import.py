"""The garbage collector rests during an import, and is afterwards as it was."""

from __future__ import annotations

import gc

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
