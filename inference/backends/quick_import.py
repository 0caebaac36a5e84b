"""Importing a lot at once, without the garbage collector looking through it all again and again."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from running within, in all threads, and from what modules made.

    Modules make a quarter of a million objects that stay, and the collector walks over them some
    hundred times: a tenth of `import torch`. Afterwards one walk takes 0.1 s, the first one soon
    after the import and others while answers are written; so what is there then is never looked at
    again. What threads throw away meanwhile is collected afterwards, but for rings of objects.
    """
    known = len(sys.modules)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # Not where nothing was imported: a model that is exchanged later may be such a ring.
        if len(sys.modules) > known:
            gc.freeze()
        if was_enabled:
            gc.enable()
