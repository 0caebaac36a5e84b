"""A processor is read whole, or left to transformers with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.processor.errors import UnsupportedProcessorError
from inference.processor.parts import find_parts, read_parts


def test_parts_of_a_plain_folder_are_found(qwen_folder: Path) -> None:
    parts = find_parts(qwen_folder)

    assert parts is not None
    assert parts.codec.encode("<|image_pad|>") == [parts.image_token_id]


def test_folder_that_asks_for_more_is_left_with_a_reason(
    qwen_copy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (qwen_copy / "tokenizer.json").unlink()

    with caplog.at_level("INFO"):
        parts = find_parts(qwen_copy)

    assert parts is None
    assert "there is no tokenizer.json" in caplog.text


def test_tokenizer_without_a_token_for_pictures_is_refused(qwen_copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (qwen_copy / name).read_text(encoding="utf-8")
        (qwen_copy / name).write_text(text.replace("image_pad", "other_pad"), encoding="utf-8")

    with pytest.raises(UnsupportedProcessorError, match=r"lacks <\|image_pad\|>"):
        read_parts(qwen_copy)
