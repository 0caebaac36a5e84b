"""The bytes of tokens, joined, are the text, whichever way a tokenizer writes them down."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models

from inference.model_source import BUNDLED_DEMO_DIR
from inference.token_bytes import make_token_bytes

TEXT = 'Two cats, "Zoë" & 猫咪 🐈\u200d⬛:\n\t½ — naïve\x7f\xad!'


def load(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


@pytest.fixture(params=["trained", "of bytes", "demo"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """Return byte-level tokenizers of several sizes."""
    if request.param == "demo":
        return load(BUNDLED_DEMO_DIR)
    name = "qwen_folder" if request.param == "trained" else "tiny_folder"
    return load(request.getfixturevalue(name))


def test_bytes_of_a_text_joined_are_the_text(tokenizer: Tokenizer) -> None:
    read = make_token_bytes(tokenizer)

    data = b"".join(read(token_id) for token_id in tokenizer.encode(TEXT).ids)

    assert data == TEXT.encode()


def test_bytes_of_a_control_token_are_its_name(tokenizer: Tokenizer) -> None:
    token_id = tokenizer.token_to_id("<|im_end|>")

    assert token_id is not None
    assert make_token_bytes(tokenizer)(token_id) == b"<|im_end|>"


def test_id_without_a_token_has_no_bytes(tokenizer: Tokenizer) -> None:
    assert make_token_bytes(tokenizer)(10**6) == b""


def test_bytes_are_read_where_spaces_are_marked_and_bytes_have_names() -> None:
    words = {"<unk>": 0, "\u2581the": 1, "\u2581猫": 2, "<0xE2>": 3, "<0x0A>": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    read = make_token_bytes(tokenizer)

    assert [read(token_id) for token_id in range(1, 5)] == [
        b" the",
        " 猫".encode(),
        b"\xe2",
        b"\n",
    ]
