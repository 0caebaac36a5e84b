"""A checkpoint whose processor files have the form of Qwen's own: class, split, merges, tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

VOCABULARY = 1500
TEXTS = Path(__file__).parents[2] / "docs"


def write_qwen_folder(folder: Path) -> Path:
    """Write a random checkpoint with a trained tokenizer; takes a moment."""
    from inference.random_checkpoint import (  # imports torch
        SPECIAL_TOKENS,
        TINY_SHAPE,
        VISIBLE_ADDED_TOKENS,
        write_random_checkpoint,
    )

    folder.mkdir(parents=True)
    _write_tokenizer(folder, SPECIAL_TOKENS, VISIBLE_ADDED_TOKENS)
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    listed = {token.pop("id"): token for token in added}
    change_json(
        folder / "tokenizer_config.json",
        tokenizer_class="Qwen2Tokenizer",
        added_tokens_decoder=listed,
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
        add_bos_token=False,
        add_prefix_space=False,
        bos_token=None,
        eos_token="<|im_end|>",
        errors="replace",
        pad_token="<|endoftext|>",
        split_special_tokens=False,
        unk_token=None,
    )
    # No limit of its own bites: the budgets decide about sizes, as with the 2B.
    shape = replace(TINY_SHAPE, vocabulary=VOCABULARY + len(added), max_pixels=16_777_216)
    write_random_checkpoint(folder, shape)
    return folder


def change_json(path: Path, **words: object) -> None:
    """Change some words of a JSON object in a file, which is made if need be."""
    content: Mapping[str, object] = {}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, **words}), encoding="utf-8")


def _write_tokenizer(folder: Path, special: tuple[str, ...], visible: tuple[str, ...]) -> None:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, trainers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split

    from inference.processor.text_codec import QWEN_SPLIT

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = Sequence(
        [
            Split(Regex(QWEN_SPLIT), "isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False
    )
    texts = [path.read_text(encoding="utf-8") for path in sorted(TEXTS.glob("*.md"))]
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in visible])
    tokenizer.save(str(folder / "tokenizer.json"))
