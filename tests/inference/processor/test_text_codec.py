"""A tokenizer is read where transformers would make the same ids, and refused elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.errors import ErrorCode, InferenceError
from inference.processor.errors import UnsupportedProcessorError
from inference.processor.text_codec import load_text_codec
from tests.inference.qwen_folder import change_json

Change = Callable[[Path], None]


def say(**words: object) -> Change:
    """Return a change of tokenizer_config.json."""
    return lambda folder: change_json(folder / "tokenizer_config.json", **words)


def put(**words: object) -> Change:
    """Return a change of tokenizer.json."""
    return lambda folder: change_json(folder / "tokenizer.json", **words)


def set_in_model(key: str, value: object) -> Change:
    """Return a change of one word about merges."""

    def change(folder: Path) -> None:
        path = folder / "tokenizer.json"
        content = json.loads(path.read_text(encoding="utf-8"))
        content["model"][key] = value
        path.write_text(json.dumps(content), encoding="utf-8")

    return change


def drop_a_token(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["added_tokens_decoder"].popitem()
    path.write_text(json.dumps(content), encoding="utf-8")


def list_no_tokens_but_an_old_file(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["added_tokens_decoder"]
    path.write_text(json.dumps(content), encoding="utf-8")
    (folder / "special_tokens_map.json").write_text("{}", encoding="utf-8")


REFUSED = {
    "another class": (say(tokenizer_class="LlamaTokenizer"), "its tokenizer is a LlamaTokenizer"),
    "an unknown word": (say(fix_mistral_regex=True), "says fix_mistral_regex"),
    "tokens at the start": (say(add_bos_token=True), "switches add_bos_token on"),
    "control tokens as text": (say(split_special_tokens=True), "switches split_special_tokens on"),
    "a new special token": (say(pad_token="<pad>"), "makes <pad> special"),
    "a token with flags": (say(eos_token={"content": "<end>"}), "makes <end> special"),
    "a visible token as special": (say(extra_special_tokens=["<think>"]), "makes <think> special"),
    "named special tokens": (say(extra_special_tokens={"a": "b"}), "names the tokens"),
    "one token less": (drop_a_token, "differ in tokens"),
    "odd tokens": (say(added_tokens_decoder={"one": {"content": "a"}}), "lists odd tokens"),
    "no list of tokens": (say(added_tokens_decoder=[]), "differ in tokens"),
    "an old file": (list_no_tokens_but_an_old_file, "there is a special_tokens_map.json"),
    "another split": (put(pre_tokenizer={"type": "Whitespace"}), "not of the form of Qwen's"),
    "another normaliser": (put(normalizer={"type": "NFKC"}), "not of the form of Qwen's"),
    "no normaliser": (put(normalizer=None), "not of the form of Qwen's"),
    "dropout": (set_in_model("dropout", 0.1), "not of the form of Qwen's"),
    "merges ignored": (set_in_model("ignore_merges", True), "not of the form of Qwen's"),
    "bytes as tokens": (set_in_model("byte_fallback", True), "not of the form of Qwen's"),
    "tokens around": (
        put(
            post_processor={
                "type": "BertProcessing",
                "sep": ["<|im_end|>", 1501],
                "cls": ["<|im_start|>", 1500],
            }
        ),
        "puts tokens around",
    ),
    "no tokenizer_config.json": (
        lambda folder: (folder / "tokenizer_config.json").unlink(),
        "no tokenizer_config.json",
    ),
    "no tokenizer.json": (lambda folder: (folder / "tokenizer.json").unlink(), "no tokenizer.json"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_folder_that_says_what_is_not_known_here_is_refused(qwen_copy: Path, name: str) -> None:
    change, reason = REFUSED[name]
    change(qwen_copy)

    with pytest.raises(UnsupportedProcessorError, match=reason):
        load_text_codec(qwen_copy)


def test_word_without_a_value_is_no_word(qwen_copy: Path) -> None:
    say(fix_mistral_regex=None)(qwen_copy)

    assert load_text_codec(qwen_copy).encode("a")


@pytest.mark.parametrize("content", ["", "{", '{"model": 1}'])
def test_broken_tokenizer_is_named(qwen_copy: Path, content: str) -> None:
    (qwen_copy / "tokenizer.json").write_text(content, encoding="utf-8")

    with pytest.raises(InferenceError, match=r"tokenizer\.json: It cannot be read") as caught:
        load_text_codec(qwen_copy)

    assert caught.value.code == ErrorCode.MODEL_UNAVAILABLE


def test_end_of_an_answer_is_the_class_default_where_nothing_is_said(qwen_copy: Path) -> None:
    say(eos_token=None)(qwen_copy)

    codec = load_text_codec(qwen_copy)

    assert codec.eos_token_id == codec.find_id("<|endoftext|>")


def test_text_survives_the_way_there_and_back(qwen_folder: Path) -> None:
    codec = load_text_codec(qwen_folder)

    assert codec.decode(codec.encode("Ünïcode 图 🙂\n<think>")) == "Ünïcode 图 🙂\n<think>"


def test_control_tokens_are_single_ids_and_not_shown(qwen_folder: Path) -> None:
    codec = load_text_codec(qwen_folder)

    ids = codec.encode("<|im_start|>a<|im_end|>")

    assert [ids[0], ids[-1]] == [codec.find_id("<|im_start|>"), codec.find_id("<|im_end|>")]
    assert codec.decode(ids) == "a"
