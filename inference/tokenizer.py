"""From token ids to text, piece by piece, without ever showing half a character.

Pure: the tokenizer comes in as a decode function. A token of a byte-level tokenizer may end within
a character; its bytes then decode to U+FFFD, and the text waits for the tokens that complete it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

Decode: TypeAlias = Callable[[Sequence[int]], str]

REPLACEMENT_CHARACTER = "\ufffd"


class IncrementalDetokenizer:
    """Turns a growing list of tokens into growing text, always a prefix of the final text.

    Decodes a window of the last tokens only, so the cost of a token does not grow with the answer.
    The window begins one settled piece earlier than the new text, because a token's text may
    depend on its left neighbour (a leading space in SentencePiece). The same tokens give the same
    pieces, whether they come one by one or all at once.
    """

    def __init__(self, decode: Decode) -> None:
        """Start with no tokens; `decode` must skip control tokens and must not clean up spaces."""
        self._decode = decode
        self._token_ids: list[int] = []
        self._window_start = 0
        self._settled_end = 0
        self._shown_of_window = ""

    def feed(self, token_id: int) -> str:
        """Take one token and return the text that became certain, possibly none."""
        self._token_ids.append(token_id)
        window = self._decode(self._token_ids[self._window_start :])
        certain = window.rstrip(REPLACEMENT_CHARACTER)
        piece = certain[len(self._shown_of_window) :]
        if certain == window:
            self._window_start = self._settled_end
            self._settled_end = len(self._token_ids)
            self._shown_of_window = self._decode(
                self._token_ids[self._window_start : self._settled_end]
            )
        elif piece:
            self._shown_of_window = certain
        return piece
