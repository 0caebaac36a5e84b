"""Ends a text before the first of some strings, and never shows the beginning of one.

Pure and incremental: what is shown depends on the text alone and not on how it was cut into pieces,
so an answer that is continued elsewhere ends where the undisturbed one does.
"""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Watches the text of one answer for strings that end it.

    `take` holds back the end of the text for as long as a stop string may begin there. Of several
    strings the one that is complete first counts; of those complete at once, the longest.
    """

    def __init__(self, strings: Sequence[str]) -> None:
        """Watch for these strings, none of them empty."""
        self.is_found = False  # stays, once it is so
        self._strings = strings
        self._held = ""
        self._passed_chars = 0
        self._known_chars = 0

    def take(self, text: str) -> str:
        """Take text that follows all earlier text; return what may be shown now.

        Behind a stop string nothing is taken any more.
        """
        if self.is_found:
            return ""
        self._held += text
        found = [
            (start + len(string), start)
            for string in self._strings
            if (start := self._held.find(string)) >= 0
        ]
        self.is_found = bool(found)
        return self._show(min(found)[1] if found else len(self._held) - self._count_undecided())

    def release(self) -> str:
        """Return what was held back, at the text's end; nothing behind a stop string."""
        return "" if self.is_found else self._show(len(self._held))

    def skip(self, chars: int) -> None:
        """Return nothing more of the first `chars` of the whole text: they were shown before."""
        self._known_chars = chars

    def _show(self, count: int) -> str:
        """Split `count` characters off the held text; return those that are new."""
        shown, self._held = self._held[:count], self._held[count:]
        known = max(self._known_chars - self._passed_chars, 0)
        self._passed_chars += count
        return shown[known:]

    def _count_undecided(self) -> int:
        """Return the length of the longest end of the text that begins a stop string."""
        longest = max((len(string) - 1 for string in self._strings), default=0)
        return next(
            (
                count
                for count in range(min(longest, len(self._held)), 0, -1)
                if any(string.startswith(self._held[-count:]) for string in self._strings)
            ),
            0,
        )
