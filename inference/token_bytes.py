"""The bytes that a token adds to a text; they may be part of a character."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TokenBytes: TypeAlias = Callable[[int], bytes]

FALLBACK_BYTE: Final = re.compile(r"<0x([0-9A-F]{2})>")
SPACE_MARK: Final = "\u2581"  # SentencePiece's


def make_token_bytes(tokenizer: Tokenizer) -> TokenBytes:
    """Return the function from one token id to its bytes.

    Those of a control token are its name's, those of an id without a token none.
    Source: GPT-2's table of printable characters for bytes; SentencePiece's byte fallback.
    """
    added = {
        token_id: token.content for token_id, token in tokenizer.get_added_tokens_decoder().items()
    }
    decoder = tokenizer.decoder
    is_byte_level = decoder is not None and b'"ByteLevel"' in decoder.__getstate__()
    bytes_by_character = _bytes_by_character() if is_byte_level else {}

    def read(token_id: int) -> bytes:
        if token_id in added:
            return added[token_id].encode()
        piece = tokenizer.id_to_token(token_id)
        if piece is None:
            return b""
        if is_byte_level:
            return bytes(bytes_by_character[character] for character in piece)
        if byte := FALLBACK_BYTE.fullmatch(piece):
            return bytes.fromhex(byte[1])
        return piece.replace(SPACE_MARK, " ").encode()

    return read


def _bytes_by_character() -> dict[str, int]:
    """Return the byte that each character of a byte-level vocabulary stands for.

    Printable bytes stand for themselves, the others for the characters from 256 on.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {
        chr(256 + number): byte for number, byte in enumerate(others)
    }
