"""Text to token ids and back, by the tokenizers library.

Two files decide about ids: tokenizer.json, which the library reads, and tokenizer_config.json,
which transformers alone reads and may change the former by. So every word of the second file is
either known here to change nothing, or is refused.
Source: transformers.tokenization_utils_tokenizers and models.qwen2.tokenization_qwen2, 5.24.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

from inference.errors import ErrorCode, InferenceError
from inference.model_folder import DOWNLOAD_AGAIN, read_json
from inference.processor.errors import UnsupportedProcessorError

TOKENIZER_FILE: Final = "tokenizer.json"
CONFIG_FILE: Final = "tokenizer_config.json"
OLD_FILES: Final = ("special_tokens_map.json", "added_tokens.json")
"""Read by transformers only where tokenizer_config.json does not list the added tokens."""

DEFAULT_EOS_TOKENS: Final[Mapping[str, str | None]] = {
    "TokenizersBackend": None,
    "PreTrainedTokenizerFast": None,
    "Qwen2Tokenizer": "<|endoftext|>",
    "Qwen2TokenizerFast": "<|endoftext|>",
}
"""The known classes, and which token ends a text where the configuration does not say it."""

REBUILT_CLASSES: Final = ("Qwen2Tokenizer", "Qwen2TokenizerFast")
"""Classes that take only vocabulary and merges from tokenizer.json: the rest must be theirs."""

QWEN_SPLIT: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizers cut text before they look for merges."""

HARMLESS_KEYS: Final = frozenset(
    {
        "backend",
        "chat_template",  # of conversations without pictures; `template` reads the other one
        "clean_up_tokenization_spaces",  # whoever decodes says it
        "errors",  # of tokenizers in Python
        "is_local",
        "max_length",  # nothing is cut or filled up
        "model_max_length",
        "name_or_path",
        "padding_side",
        "processor_class",
        "tokenizer_class",
        "truncation_side",
    }
)
OFF_KEYS: Final = ("add_bos_token", "add_eos_token", "add_prefix_space", "split_special_tokens")
TOKEN_KEYS: Final = ("bos_token", "eos_token", "pad_token", "unk_token")
LIST_KEYS: Final = ("additional_special_tokens", "extra_special_tokens")
DECODER_KEY: Final = "added_tokens_decoder"


class TextCodec:
    """A tokenizer; encoding and decoding may go on in several threads at once."""

    def __init__(self, tokenizer: Tokenizer, eos_token: str | None = None) -> None:
        """Take a tokenizer over, which nobody else may configure any more."""
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self.tokenizer = tokenizer
        self.eos_token_id = None if eos_token is None else tokenizer.token_to_id(eos_token)
        added = tokenizer.get_added_tokens_decoder().values()
        self.control_tokens = frozenset(token.content for token in added)

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, in which control tokens act."""
        ids: list[int] = self.tokenizer.encode(text).ids
        return ids

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of some ids, without control tokens."""
        return str(self.tokenizer.decode(list(token_ids), skip_special_tokens=True))

    def find_id(self, token: str) -> int | None:
        """Return the id of a token, or None."""
        return self.tokenizer.token_to_id(token)


def load_text_codec(folder: Path) -> TextCodec:
    """Read a folder's tokenizer; takes half a second for Qwen's, with the interpreter held.

    Raises:
        UnsupportedProcessorError: transformers would, or might, make other ids of some text.
        InferenceError: `model_unavailable`, a file is missing or broken.
    """
    for needed in (TOKENIZER_FILE, CONFIG_FILE):
        if not (folder / needed).is_file():
            raise UnsupportedProcessorError(f"there is no {needed}")
    config = read_json(folder, CONFIG_FILE)
    name = str(config.get("tokenizer_class"))
    if name not in DEFAULT_EOS_TOKENS:
        raise UnsupportedProcessorError(f"its tokenizer is a {name}")
    _check_words(folder, config)
    try:
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    except Exception as error:  # the library raises Exception itself
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            f"The model cannot be loaded: {folder.name}/{TOKENIZER_FILE}: It cannot be read."
            f" {DOWNLOAD_AGAIN}",
        ) from error
    if tokenizer.num_special_tokens_to_add(is_pair=False):
        raise UnsupportedProcessorError("its tokenizer puts tokens around a text")
    if name in REBUILT_CLASSES:
        _check_rebuilt(tokenizer)
    _check_added(tokenizer, config)
    return TextCodec(tokenizer, _content(config.get("eos_token")) or DEFAULT_EOS_TOKENS[name])


def _check_words(folder: Path, config: Mapping[str, object]) -> None:
    """Refuse what could change ids in a way that is not known here."""
    known = {*HARMLESS_KEYS, *OFF_KEYS, *TOKEN_KEYS, *LIST_KEYS, DECODER_KEY}
    unknown = sorted(key for key, value in config.items() if key not in known and value is not None)
    if unknown:
        raise UnsupportedProcessorError(f"{CONFIG_FILE} says {unknown[0]}")
    switched_on = [key for key in OFF_KEYS if config.get(key)]
    if switched_on:
        raise UnsupportedProcessorError(f"{CONFIG_FILE} switches {switched_on[0]} on")
    if DECODER_KEY in config:
        return
    for name in OLD_FILES:
        if (folder / name).exists():
            raise UnsupportedProcessorError(f"there is a {name}")


def _check_rebuilt(tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer.json that is not what Qwen's class would make of its vocabulary."""
    model, cut = tokenizer.model, pre_tokenizers.Split(Regex(QWEN_SPLIT), "isolated")
    is_plain = isinstance(model, models.BPE) and not (
        model.dropout
        or model.unk_token
        or model.continuing_subword_prefix
        or model.end_of_word_suffix
        or model.fuse_unk
        or model.byte_fallback
        or model.ignore_merges
    )
    # Offsets are cut differently, ids are not.
    expected = [
        pre_tokenizers.Sequence(
            [
                cut,
                pre_tokenizers.ByteLevel(
                    add_prefix_space=False, trim_offsets=trims, use_regex=False
                ),
            ]
        )
        for trims in (False, True)
    ]
    if not (
        is_plain
        and _is_same(tokenizer.normalizer, normalizers.NFC())
        and any(_is_same(tokenizer.pre_tokenizer, one) for one in expected)
    ):
        raise UnsupportedProcessorError(f"{TOKENIZER_FILE} is not of the form of Qwen's")


def _is_same(part: Any, expected: Any) -> bool:  # the library's classes have no equality
    return part is not None and bool(part.__getstate__() == expected.__getstate__())


def _check_added(tokenizer: Tokenizer, config: Mapping[str, object]) -> None:
    """Refuse if transformers would add a token, or change one."""
    added = tokenizer.get_added_tokens_decoder()
    if DECODER_KEY in config:
        listed = config[DECODER_KEY]
        if not isinstance(listed, Mapping) or _listed_tokens(listed) != _token_flags(added):
            raise UnsupportedProcessorError(f"{CONFIG_FILE} and {TOKENIZER_FILE} differ in tokens")
    special = {token.content for token in added.values() if token.special and not token.normalized}
    for token in _special_tokens(config):
        if token not in special:
            raise UnsupportedProcessorError(f"{CONFIG_FILE} makes {token} special")


Flags = tuple[str, bool, bool, bool, bool, bool]


def _token_flags(added: Mapping[int, AddedToken]) -> dict[int, Flags]:
    return {
        key: (t.content, t.single_word, t.lstrip, t.rstrip, t.normalized, t.special)
        for key, t in added.items()
    }


def _listed_tokens(listed: Mapping[str, Any]) -> dict[int, Flags]:
    try:
        return _token_flags({int(key): AddedToken(**token) for key, token in listed.items()})
    except (TypeError, ValueError) as error:
        raise UnsupportedProcessorError(f"{CONFIG_FILE} lists odd tokens") from error


def _special_tokens(config: Mapping[str, object]) -> Iterator[str]:
    named = [config.get(key) for key in TOKEN_KEYS]
    for key in LIST_KEYS:
        listed = config.get(key) or []
        if not isinstance(listed, list):
            raise UnsupportedProcessorError(f"{CONFIG_FILE} names the tokens of {key}")
        named.extend(listed)
    for token in named:
        content = _content(token)
        if content is not None:
            yield content


def _content(token: object) -> str | None:
    """Return the text of a token, which may stand there with its flags."""
    if isinstance(token, Mapping):
        token = token.get("content")
    return token if isinstance(token, str) else None
