"""Pictures as the fake pipeline takes them."""

from __future__ import annotations


class Tensor:
    """Anything."""

    def __init__(self, content: object) -> None:
        self.content = content
