"""Opens a compiled set of kernels: the structures and functions of src/abi.h, in ctypes.

Knows names and types, not what they mean. ctypes releases the GIL during every call.
"""

from __future__ import annotations

import ctypes
from ctypes import c_float, c_int32, c_int64, c_void_p
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

ABI_VERSION: Final = 7
"""The number in src/abi.h; a library built from other sources has another one."""
OUT_OF_MEMORY: Final = 1
OUT_OF_TURN: Final = 2


class LibraryUnusableError(Exception):
    """A set of kernels that was not built, cannot be loaded, or is of another version."""


class Matrix(ctypes.Structure):
    """VlMatrix."""

    _fields_ = (
        ("bytes", c_void_p),
        ("outputs", c_int64),
        ("inputs", c_int64),
        ("form", c_int32),
    )


class TextShapeStruct(ctypes.Structure):
    """VlTextShape."""

    _fields_ = (
        ("hidden", c_int64),
        ("heads", c_int64),
        ("kv_heads", c_int64),
        ("head_dim", c_int64),
        ("intermediate", c_int64),
        ("eps", c_float),
    )


class TextLayerStruct(ctypes.Structure):
    """VlTextLayer."""

    _fields_ = (
        ("input_norm", c_void_p),
        ("qkv", Matrix),
        ("q_norm", c_void_p),
        ("k_norm", c_void_p),
        ("o", Matrix),
        ("post_norm", c_void_p),
        ("gate_up", Matrix),
        ("down", Matrix),
    )


class TextStepStruct(ctypes.Structure):
    """VlTextStep."""

    _fields_ = (
        ("hidden", c_void_p),
        ("cos", c_void_p),
        ("sin", c_void_p),
        ("row_starts", c_void_p),
        ("first_index", c_void_p),
        ("page_tables", c_void_p),
        ("cache", c_void_p),
        ("deep", c_void_p),
        ("deep_rows", c_void_p),
        ("scored", c_void_p),
        ("sequences", c_int64),
        ("table_width", c_int64),
        ("pages", c_int64),
        ("levels", c_int64),
        ("deep_count", c_int64),
        ("scored_count", c_int64),
        ("cache_form", c_int32),
    )


class VisionShapeStruct(ctypes.Structure):
    """VlVisionShape."""

    _fields_ = (("hidden", c_int64), ("heads", c_int64), ("intermediate", c_int64))


class VisionLayerStruct(ctypes.Structure):
    """VlVisionLayer."""

    _fields_ = (
        ("norm1_weight", c_void_p),
        ("norm1_bias", c_void_p),
        ("qkv", Matrix),
        ("qkv_bias", c_void_p),
        ("proj", Matrix),
        ("proj_bias", c_void_p),
        ("norm2_weight", c_void_p),
        ("norm2_bias", c_void_p),
        ("fc1", Matrix),
        ("fc1_bias", c_void_p),
        ("fc2", Matrix),
        ("fc2_bias", c_void_p),
    )


class VisionStepStruct(ctypes.Structure):
    """VlVisionStep."""

    _fields_ = (
        ("hidden", c_void_p),
        ("cos", c_void_p),
        ("sin", c_void_p),
        ("bounds", c_void_p),
        ("pictures", c_int64),
    )


_MATRIX: Final = ctypes.POINTER(Matrix)
_FUNCTIONS: Final = {
    "vl_uses_amx": (c_int32, ()),
    "vl_set_threads": (None, (c_int32,)),
    "vl_advise_huge_pages": (None, (c_void_p, c_int64)),
    "vl_packed_bytes": (c_int64, (c_int64, c_int64, c_int32)),
    "vl_read_bytes": (c_int64, (c_int64, c_int64, c_int32)),
    "vl_pack": (c_int32, (c_void_p, c_int32, _MATRIX, c_void_p)),
    "vl_unpack_rows": (c_int32, (_MATRIX, c_void_p, c_int64, c_void_p)),
    "vl_linear": (c_int32, (_MATRIX, c_void_p, c_int64, c_void_p, c_int32, c_void_p)),
    "vl_text_create": (
        c_void_p,
        (ctypes.POINTER(TextShapeStruct), ctypes.POINTER(TextLayerStruct), c_int64),
    ),
    "vl_text_run": (c_int32, (c_void_p, ctypes.POINTER(TextStepStruct), c_int64, c_int64)),
    "vl_text_destroy": (None, (c_void_p,)),
    "vl_vision_create": (
        c_void_p,
        (ctypes.POINTER(VisionShapeStruct), ctypes.POINTER(VisionLayerStruct), c_int64),
    ),
    "vl_vision_run": (c_int32, (c_void_p, ctypes.POINTER(VisionStepStruct), c_int64, c_int64)),
    "vl_vision_run_part": (
        c_int32,
        (c_void_p, ctypes.POINTER(VisionStepStruct), c_int64, c_int64),
    ),
    "vl_vision_parts": (c_int64, (c_void_p, c_int64)),
    "vl_vision_destroy": (None, (c_void_p,)),
    "vl_peak_int8": (c_int64, (c_int64,)),
    "vl_stream_bytes": (c_int64, (c_void_p, c_int64)),
    "vl_exp": (None, (c_void_p, c_void_p, c_int64)),
}


def open_library(name: str) -> ctypes.CDLL:
    """Load the kernels of one instruction set; the processor must have it.

    Raises:
        LibraryUnusableError: says why.
    """
    paths = [Path(__file__).parent / f"_{name}{suffix}" for suffix in EXTENSION_SUFFIXES]
    path = next((path for path in paths if path.exists()), None)
    if path is None:
        raise LibraryUnusableError(f"the {name} kernels were not built at install")
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise LibraryUnusableError(f"the {name} kernels cannot be loaded: {error}") from error
    version: int = library.vl_version()
    if version != ABI_VERSION:
        raise LibraryUnusableError(
            f"the {name} kernels have version {version}, not {ABI_VERSION}: install again"
        )
    if not library.vl_is_supported():
        raise LibraryUnusableError(f"the processor lacks instructions that {name} needs")
    for name_of_function, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name_of_function)
        function.restype = result
        function.argtypes = arguments
    return library


def check_status(status: int) -> None:
    """Turn the status of a call into an exception.

    Raises:
        MemoryError: there was not enough memory for the call.
        ValueError: the part of a layer is not the one that comes next.
    """
    if status == OUT_OF_TURN:
        raise ValueError("expected the next part of the layer that was begun last")
    if status == OUT_OF_MEMORY:
        raise MemoryError("not enough memory for the kernels' scratch space")
