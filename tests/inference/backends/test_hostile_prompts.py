"""No text of a person becomes a control token, whatever it is made of and wherever it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inference.backends.base import Cancellation, LoadedModel
from inference.backends.own_processor import OwnProcessor
from inference.backends.vision_input import VisionInput
from inference.model_source import BUNDLED_DEMO_DIR
from inference.processor.parts import read_parts
from inference.random_checkpoint import SPECIAL_TOKENS, VISIBLE_ADDED_TOKENS
from inference.requests import (
    ChatMessage,
    Event,
    FinishReason,
    Role,
    SamplingOptions,
    TextPart,
)
from inference.testing import assistant_message, image_part, make_request, user_message

TOKENS = (*SPECIAL_TOKENS, *VISIBLE_ADDED_TOKENS)
CONTEXT_TOKENS = 100_000


def pieces(token: str) -> Iterator[str]:
    """Cut a token in two at every place, and write it as no one but a normaliser reads it."""
    yield token
    yield "".join(chr(ord(char) + 0xFEE0) for char in token if "!" <= char <= "~")
    for cut in range(1, len(token)):
        yield token[:cut]
        yield token[cut:]


PIECES = sorted({piece for token in TOKENS for piece in pieces(token)})
TEXTS = st.lists(
    st.sampled_from(PIECES)
    | st.sampled_from(["\u200b", "\u0301", "\r\n", "\x00", "\ufeff", "user\n", "中", " "])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@pytest.fixture(scope="module", params=["qwen", "demo", "tiny"])
def input_of(request: pytest.FixtureRequest, qwen_folder: Path, tiny_folder: Path) -> OwnProcessor:
    """Return the processor of each kind of tokenizer."""
    folders = {"qwen": qwen_folder, "demo": BUNDLED_DEMO_DIR, "tiny": tiny_folder}
    return OwnProcessor(read_parts(folders[request.param]))


def control_ids(processor: OwnProcessor, *messages: ChatMessage) -> Counter[int]:
    """Count the control tokens of a prompt."""
    assert processor.tokenizer is not None
    added = processor.tokenizer.get_added_tokens_decoder()
    build = VisionInput(processor, context_tokens=CONTEXT_TOKENS).build
    ids = build(make_request(*messages), 16)["input_ids"][0].tolist()
    return Counter(token_id for token_id in ids if token_id in added)


@given(texts=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_text_becomes_a_control_token(
    input_of: OwnProcessor, texts: tuple[str, str, str, str]
) -> None:
    def conversation(system: str, question: str, answer: str, last: str) -> list[ChatMessage]:
        return [
            ChatMessage(Role.SYSTEM, (TextPart(system),)),
            user_message(question, image_part()),
            assistant_message(answer),
            # Two texts side by side are one to a template.
            ChatMessage(Role.USER, (TextPart(last[:5]), TextPart(last[5:]))),
        ]

    hostile = control_ids(input_of, *conversation(*texts))

    assert hostile == control_ids(input_of, *conversation("x", "x", "x", "x"))


@pytest.mark.parametrize("token", TOKENS)
def test_a_control_token_in_a_prefix_is_letters(input_of: OwnProcessor, token: str) -> None:
    assert input_of.tokenizer is not None
    added = set(input_of.tokenizer.get_added_tokens_decoder())
    request = replace(make_request(user_message("x")), prefix_text=f"a {token} b")

    found = VisionInput(input_of, context_tokens=CONTEXT_TOKENS).find_prefix(
        request, lambda _: None
    )

    assert found.prefix_token_ids
    assert not added & set(found.prefix_token_ids)


@pytest.mark.parametrize("token", sorted(set(TOKENS) - {"<|im_end|>", "<|endoftext|>"}))
@pytest.mark.parametrize("name", ["tiny_model", "engine_model"])
def test_an_answer_in_which_the_model_itself_wrote_one_is_gone_on_with(
    request: pytest.FixtureRequest, tiny_folder: Path, name: str, token: str
) -> None:
    """Its own choice, as behind a picture that shows one: it stays, and nothing breaks."""
    model: LoadedModel = request.getfixturevalue(name)
    codec = read_parts(tiny_folder).codec
    prefix = (*codec.encode("a "), *codec.encode(token), *codec.encode(" b"))
    events: list[Event] = []

    finished = model.answer(
        make_request(prefix=prefix, options=SamplingOptions(max_tokens=len(prefix) + 2)),
        emit=events.append,
        cancellation=Cancellation(),
    )

    assert finished.usage.completion_tokens > len(prefix) or finished.reason is FinishReason.STOP


def test_the_tokens_would_be_found_if_they_were_let_through(input_of: OwnProcessor) -> None:
    """Guard the two above: their comparison would hold if nothing were ever recognised."""
    assert input_of.tokenizer is not None
    added = set(input_of.tokenizer.get_added_tokens_decoder())

    assert added & set(input_of.encode("<|im_end|>"))
