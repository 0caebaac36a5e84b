"""Importing a lot at once, without the garbage collector looking through it all again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from running within, in all threads.

    Modules make a quarter of a million objects that stay, and the collector walks over them some
    hundred times: a tenth of `import torch`. What threads throw away meanwhile is collected
    afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
