"""Texts in the bodies and queries of calls."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator


def _storable(text: str) -> str:
    """Refuse what neither PostgreSQL nor UTF-8 can hold."""
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("holds characters that are not text")
    return text


Text = Annotated[str, AfterValidator(_storable)]
