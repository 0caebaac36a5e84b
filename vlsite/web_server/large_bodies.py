"""Large bodies: handed to the application a few at a time, and bounded for each address.

Daphne gives the application a body as frames in memory, all at once and whoever sent it. Until it
is their turn bodies rest in Twisted's temporary files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

LARGE_BYTES = 2**20  # smaller ones are nobody's trouble, and are not counted


@dataclass(slots=True, eq=False)
class _Body:
    network: str
    size_bytes: int = 0
    begin: Callable[[], None] | None = None  # once all of it is there
    is_in_work: bool = False


class LargeBodies:
    """What came in and is not answered yet: sizes in bytes, by request, in the order of arrival.

    In work at once are `VL_BODIES_BYTES`, or a single body that is larger. The network with the
    least in work is next, so that one that sends many keeps nobody else waiting for all of them.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._bodies: dict[Hashable, _Body] = {}

    def arrived(self, request: Hashable, network: str, size_bytes: int) -> bool:
        """Count what came of a body; say whether its network may have so much here at once."""
        self._bodies.setdefault(request, _Body(network)).size_bytes += size_bytes
        of_network = (body for body in self._bodies.values() if body.network == network)
        most_bytes: int = settings.VL_ADDRESS_BODIES_BYTES
        return sum(body.size_bytes for body in of_network) <= most_bytes

    def complete(self, request: Hashable, begin: Callable[[], None]) -> None:
        """Call `begin` when it is the body's turn, at once if nothing is in its way."""
        if request in self._bodies:
            self._bodies[request].begin = begin
            self._go_on()
        else:
            begin()

    def gone(self, request: Hashable) -> None:
        """Forget a body whose request is answered or lost; forgetting twice is harmless."""
        if self._bodies.pop(request, None) is not None:
            self._go_on()

    def _go_on(self) -> None:
        while (body := self._next()) is not None and body.begin is not None:
            body.is_in_work = True
            body.begin()

    def _next(self) -> _Body | None:
        in_work: Counter[str] = Counter()
        waiting = []
        for body in self._bodies.values():
            if body.is_in_work:
                in_work[body.network] += body.size_bytes
            elif body.begin is not None:
                waiting.append(body)
        if not waiting:
            return None
        body = min(waiting, key=lambda body: in_work[body.network])
        most_bytes: int = settings.VL_BODIES_BYTES
        has_room = not in_work or in_work.total() + body.size_bytes <= most_bytes
        return body if has_room else None


large_bodies = LargeBodies()
