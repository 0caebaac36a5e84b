"""The one error of reading a processor's files."""

from __future__ import annotations


class UnsupportedProcessorError(Exception):
    """A folder's files ask for something that only transformers can do; the text says what."""
