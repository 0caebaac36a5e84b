"""Answers of a model whose tokenizer is of another library: text and log probabilities, no JSON."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from inference.backends.answer_tokens import AnswerTokens
from inference.backends.base import Cancellation
from inference.backends.layer_watch import PrefillProgress
from inference.backends.transformers_processor import TransformersProcessor
from inference.errors import InferenceError
from inference.requests import Event, SamplingOptions, TextDelta
from inference.sampling import Choice, TokenScores
from inference.testing import make_request

WORDS = ["red ", "blue ", "<end>"]


class SlowTokenizer:
    """Has what transformers' tokenizers in Python have, and no backend."""

    eos_token_id = 2
    all_special_tokens = ("<end>",)

    def get_added_vocab(self) -> dict[str, int]:
        return {}

    def decode(self, token_ids: list[int], **_: object) -> str:
        return "".join(WORDS[token_id] for token_id in token_ids)


@pytest.fixture
def tokens() -> AnswerTokens:
    processor = TransformersProcessor(
        SimpleNamespace(tokenizer=SlowTokenizer()), model_type="other"
    )
    return AnswerTokens(processor, vocabulary=3, eos_ids=frozenset({2}))


def test_log_probabilities_come_with_the_bytes_of_the_text(tokens: AnswerTokens) -> None:
    events: list[Event] = []
    progress = PrefillProgress(emit=events.append, cancellation=Cancellation(), prompt_tokens=1)
    writer = tokens.begin(make_request(), emit=events.append, progress=progress)

    writer.take(Choice(1, TokenScores(-0.5, ((0, -0.25),))))

    told = [event.logprobs for event in events if isinstance(event, TextDelta)]
    assert [(each.chosen.data, each.top[0].data) for (each,) in told] == [(b"blue ", b"red ")]


def test_no_schema_can_be_followed(tokens: AnswerTokens) -> None:
    options = SamplingOptions(json_object=True)

    with pytest.raises(InferenceError, match="tokenizer"), tokens.constrain(options, ()):
        pass
