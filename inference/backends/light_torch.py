"""Imports torch in two thirds of the time: without what answers never use.

`import torch` ends by registering what every operator would do to tensors without content (the
`meta` device), which takes all decompositions and reference implementations with it. The engine
has no such tensors; transformers has, so `complete_torch` comes before it.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

META_MODULE: Final = "torch._meta_registrations"
"""Source: the last imports of torch/__init__.py, 2.13.0."""


def import_light_torch() -> None:
    """Import torch without its meta registrations, unless somebody has imported it already.

    Nothing of this stays: the module is missing afterwards, and whoever imports it gets it.
    """
    if "torch" in sys.modules:
        return
    placeholder = ModuleType(META_MODULE)
    sys.modules[META_MODULE] = placeholder
    try:
        importlib.import_module("torch")
    finally:
        if sys.modules.get(META_MODULE) is placeholder:
            del sys.modules[META_MODULE]


def complete_torch() -> None:
    """Import the rest of torch; at once if it is there."""
    importlib.import_module("torch")
    importlib.import_module(META_MODULE)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from running within, in all threads.

    Modules make a quarter of a million objects that stay, and the collector walks over them some
    hundred times: a tenth of an import. What threads throw away meanwhile is collected afterwards.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
