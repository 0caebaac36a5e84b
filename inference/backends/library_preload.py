"""Opens torch's library on another core while this one still reads files.

`import torch` spends 0.25 s in the dynamic linker with the interpreter's lock held. Opened by
somebody else before, its libraries are only counted once more.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

LIBRARIES: Final = (
    ("libtorch_global_deps.so", os.RTLD_NOW | os.RTLD_GLOBAL),
    ("libtorch_cpu.so", os.RTLD_NOW),
)
"""In the order and the way in which torch opens them.

Source: _load_global_deps in torch/__init__.py, 2.13.0.
"""


def preload_torch() -> threading.Thread:
    """Open torch's libraries in the background, where they are; importing torch opens the others.

    Returns the thread, which nobody has to wait for: an import meanwhile waits for the linker.
    """
    thread = threading.Thread(target=_open_libraries, name="torch-preload", daemon=True)
    thread.start()
    return thread


def _open_libraries() -> None:
    torch = importlib.util.find_spec("torch")
    if torch is None or torch.origin is None:
        return
    folder = Path(torch.origin).parent / "lib"
    with suppress(OSError, AttributeError):  # a system without dlopen
        # Not ctypes.CDLL: that keeps the interpreter's lock for all the time.
        open_library = ctypes.CDLL(None).dlopen
        open_library.restype = ctypes.c_void_p
        for name, mode in LIBRARIES:
            path = folder / name
            if path.exists():
                open_library(os.fsencode(path), mode)
