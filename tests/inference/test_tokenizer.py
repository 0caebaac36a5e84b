"""Streamed text never holds half a character and always begins the final text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.tokenizer import IncrementalDetokenizer


def decode_bytes(token_ids: Sequence[int]) -> str:
    return bytes(token_ids).decode("utf-8", errors="replace")


def stream(token_ids: Sequence[int]) -> list[str]:
    return feed_all(IncrementalDetokenizer(decode_bytes), token_ids)


def feed_all(detokenizer: IncrementalDetokenizer, token_ids: Sequence[int]) -> list[str]:
    return [detokenizer.feed(token_id) for token_id in token_ids]


@pytest.mark.parametrize(
    "text", ["plain", "你好，世界", "🙂👨\u200d👩\u200d👧 family", "mixed 中 🙂 a", ""]
)
def test_whole_text_comes_out(text: str) -> None:
    assert "".join(stream(text.encode())) == text


@given(st.text())
def test_no_piece_holds_half_a_character(text: str) -> None:
    pieces = stream(text.replace("\ufffd", "").encode("utf-8", "ignore"))

    assert not any("\ufffd" in piece for piece in pieces)


@given(st.binary(max_size=60))
def test_text_so_far_is_always_a_prefix_of_the_final_text(data: bytes) -> None:
    final = decode_bytes(data)
    shown = ""

    for piece in stream(data):
        shown += piece

        assert final.startswith(shown)


def test_unfinished_character_is_kept_back_at_the_end() -> None:
    assert "".join(stream("a🙂".encode()[:-1])) == "a"


@given(st.text(), st.integers(0, 50))
def test_continuation_begins_where_the_text_stopped(text: str, cut: int) -> None:
    token_ids = text.encode("utf-8", "ignore")
    whole = IncrementalDetokenizer(decode_bytes)
    feed_all(whole, token_ids[:cut])

    continued = IncrementalDetokenizer(decode_bytes)
    feed_all(continued, token_ids[:cut])

    assert feed_all(continued, token_ids[cut:]) == feed_all(whole, token_ids[cut:])


def test_cost_of_a_token_does_not_grow_with_the_answer() -> None:
    widest = 0

    def decode(token_ids: Sequence[int]) -> str:
        nonlocal widest
        widest = max(widest, len(token_ids))
        return decode_bytes(token_ids)

    feed_all(IncrementalDetokenizer(decode), ("中" * 500).encode())

    assert widest <= 8


def test_emoji_and_chinese_split_over_real_tokens_come_out_whole(tiny_folder: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_folder / "tokenizer.json"))
    text = "看 🙂 你好"
    detokenizer = IncrementalDetokenizer(lambda ids: str(tokenizer.decode(list(ids))))

    pieces = [detokenizer.feed(i) for i in tokenizer.encode(text).ids]

    assert len(pieces) == len(text.encode())
    assert "".join(pieces) == text
