"""Train the demo model's tokenizer: byte-level BPE with Qwen's special tokens and single digits."""

import random
from collections.abc import Iterator
from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from inference.demo import REFUSAL
from inference.demo.drawing import COLOURS, SHAPES, WORDS, draw_scene
from inference.demo.languages import CHINESE, ENGLISH
from inference.demo.questions import ask
from inference.demo.small_talk import small_talk

SPECIAL_TOKENS: Final = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
VOCAB_SIZE: Final = 768
# Words, single digits, runs of marks, Chinese by the character and white space, apart.
_PIECES: Final = (
    r"[\u4e00-\u9fff]+|'s| ?[A-Za-z]+| ?\d|```json\n|\[\{\"bbox_2d\": \[|\], \"label\": \""
    r"|\"\}, \{\"bbox_2d\": \[|\"\}\]\n```|\n| ?[^\sA-Za-z\d\u4e00-\u9fff]+|\s+"
)
SEED: Final = 777


def corpus(conversations: int = 5000) -> Iterator[str]:
    """Questions and answers as in training; names so often that each becomes one token."""
    rng = random.Random(SEED)
    for index in range(conversations):
        scene, _ = draw_scene(SEED, index, size=(32, 32))
        turn = ask(rng, scene, CHINESE if index % 4 == 0 else ENGLISH)
        yield turn.question
        yield turn.answer
        if index % 10 == 0:
            yield small_talk(rng)
        if index % 25 == 0:
            yield REFUSAL
            yield "user\nassistant\nsystem\nPicture 1: "
            for name in (*WORDS, *SHAPES, *COLOURS):
                yield f" {name} {name}"
            for name in (*COLOURS, *ENGLISH.numbers):
                yield f"{name} {name.capitalize()} {name} {name.capitalize()}"
            yield from (*CHINESE.shapes.values(), *CHINESE.colours.values())


def train_tokenizer(conversations: int = 5000) -> PreTrainedTokenizerFast:
    """Give a tokenizer with about 768 entries, special tokens first."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(conversations), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",  # noqa: S106  a mark, no secret
        pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=list(SPECIAL_TOKENS[1:]),
    )
