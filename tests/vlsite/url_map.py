"""Every address of the site, read from its URL configuration."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

NOBODYS = uuid.UUID("0b5c9d16-0000-4000-8000-000000000000")
# A parameter in Django's own form, or as a group of a regular expression.
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>(?:[^()]|\\.)*\)")
_SIGNS = str.maketrans("", "", "^$\\")


@dataclass(frozen=True, slots=True)
class Route:
    """One address: its pattern, the names of what varies in it, and what answers."""

    pattern: str
    parameters: tuple[str, ...]
    callback: Callable[..., Any]

    def __str__(self) -> str:
        """Show the pattern: it names the test."""
        return self.pattern or "(home)"

    @property
    def is_admin(self) -> bool:
        """Whether it belongs to the admin."""
        return self.pattern.startswith("admin/")

    def filled(self, **values: object) -> str:
        """Give the path with these values in place of its parameters."""

        def value(found: re.Match[str]) -> str:
            return str(values[found[1] or found[2]])

        return "/" + _PARAMETER.sub(value, self.pattern).translate(_SIGNS)

    def example(self) -> str:
        """Give the path with values that name nothing."""
        known: dict[str, object] = {"number": 1, "app_label": "chat", "url": "nowhere"}
        return self.filled(**{name: known.get(name, NOBODYS) for name in self.parameters})


def routes() -> list[Route]:
    """List every route, each once."""
    found = {route.pattern: route for route in _walk(get_resolver().url_patterns, "")}
    return list(found.values())


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[Route]:
    for each in patterns:
        pattern = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns, pattern)
        else:
            names = tuple(found[1] or found[2] for found in _PARAMETER.finditer(pattern))
            yield Route(pattern, names, each.callback)
