"""Answers that are held to a schema, by both backends; the models are random and want anything."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from inference import json_constraint
from inference.backends.base import Cancellation, LoadedModel
from inference.config import InferenceConfig
from inference.engine.speculation import MOST_DRAFT_TOKENS
from inference.errors import ErrorCode, InferenceError
from inference.requests import Event, Finished, FinishReason, SamplingOptions, TextDelta
from inference.testing import make_request, read_text, read_token_ids
from tests.inference.engine_models import make_engine_model

if TYPE_CHECKING:
    from inference.backends.engine_loading import LoadedNetworks
    from inference.backends.engine_model import EngineModel

SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "label": {"enum": ["red circle", "blue square"]},
            "bbox_2d": {
                "type": "array",
                "items": {"type": "integer", "minimum": 0, "maximum": 99},
                "minItems": 4,
                "maxItems": 4,
            },
        },
        "required": ["label", "bbox_2d"],
        "additionalProperties": False,
    },
    "minItems": 1,
    "maxItems": 2,
}
HOT = SamplingOptions(
    max_tokens=1500, temperature=1.0, top_p=1.0, top_k=0, is_loop_guarded=False, json_schema=SCHEMA
)
GREEDY = replace(HOT, temperature=0.0, presence_penalty=0.0)
TOO_MUCH = {"type": "string", "pattern": "^[ab]*a[ab]{900}$"}
"""Each letter makes a state of its own."""


@pytest.fixture(params=["transformers", "engine"])
def real_model(request: pytest.FixtureRequest) -> LoadedModel:
    """Return the small model, as each backend runs it."""
    name = "tiny_model" if request.param == "transformers" else "engine_model"
    model: LoadedModel = request.getfixturevalue(name)
    return model


def ask(
    model: LoadedModel, options: SamplingOptions, *, prefix: tuple[int, ...] = ()
) -> tuple[list[Event], Finished]:
    events: list[Event] = []
    request = make_request(options=options, prefix=prefix)
    return events, model.answer(request, emit=events.append, cancellation=Cancellation())


def test_answer_that_stops_is_json_of_its_schema(real_model: LoadedModel) -> None:
    events, finished = ask(real_model, HOT)

    assert finished.finish_reason is FinishReason.STOP
    jsonschema.validate(json.loads(read_text(events)), SCHEMA)


def test_answer_that_is_an_object_is_one(engine_model: EngineModel) -> None:
    options = replace(HOT, json_schema=None, json_object=True, max_tokens=400)

    for seed in count():
        events, finished = ask(engine_model, replace(options, seed=seed))
        if finished.finish_reason is FinishReason.STOP:
            break

    assert isinstance(json.loads(read_text(events)), dict)


def test_answer_at_its_limit_is_the_beginning_of_json(real_model: LoadedModel) -> None:
    whole, _ = ask(real_model, HOT)

    events, finished = ask(real_model, replace(HOT, max_tokens=20))

    assert finished.finish_reason is FinishReason.LENGTH
    assert read_text(whole).startswith(read_text(events))


def test_answer_taken_over_anywhere_goes_on_in_its_schema(real_model: LoadedModel) -> None:
    token_ids = read_token_ids(ask(real_model, HOT)[0])

    for cut in (1, len(token_ids) // 2, len(token_ids) - 1, len(token_ids)):
        events, finished = ask(real_model, HOT, prefix=token_ids[:cut])

        assert read_token_ids(events) == token_ids[cut:]
        assert finished.finish_reason is FinishReason.STOP


@pytest.mark.parametrize("options", [HOT, GREEDY], ids=["hot", "greedy"])
def test_drafts_change_no_answer_that_has_a_schema(
    tiny_networks: LoadedNetworks,
    tiny_folder: Path,
    tiny_config: InferenceConfig,
    options: SamplingOptions,
) -> None:
    texts = []
    for draft_tokens in (0, MOST_DRAFT_TOKENS):
        model = make_engine_model(
            tiny_networks, tiny_folder, tiny_config, draft_tokens=draft_tokens
        )
        texts.append(read_text(ask(model, options)[0]))
        model.close()

    assert model.stats().kept_tokens
    assert texts[0] == texts[1]


def test_answers_with_and_without_schemas_are_written_together(engine_model: EngineModel) -> None:
    free = replace(HOT, json_schema=None, max_tokens=60)
    kinds = [HOT, free, replace(HOT, seed=1), replace(free, seed=1)]
    alone = [read_text(ask(engine_model, options)[0]) for options in kinds]

    with ThreadPoolExecutor(len(kinds)) as pool:
        together = list(pool.map(lambda options: read_text(ask(engine_model, options)[0]), kinds))

    assert together == alone


def test_log_probabilities_are_those_without_a_schema(engine_model: EngineModel) -> None:
    first = [
        next(event for event in ask(engine_model, options)[0] if isinstance(event, TextDelta))
        for options in (
            replace(HOT, logprobs=5),
            replace(HOT, logprobs=5, json_schema=None, max_tokens=1),
        )
    ]

    assert first[0].logprobs[0].top == first[1].logprobs[0].top


def test_cancelled_answer_leaves_no_thread(engine_model: EngineModel) -> None:
    cancellation = Cancellation()

    def stop_at_once(event: Event) -> None:
        if isinstance(event, TextDelta):
            cancellation.set()

    finished = engine_model.answer(
        make_request(options=HOT), emit=stop_at_once, cancellation=cancellation
    )

    assert finished.finish_reason is FinishReason.STOPPED  # and `no_thread_is_left`


def test_schema_that_cannot_be_followed_is_refused(real_model: LoadedModel) -> None:
    with pytest.raises(InferenceError, match="nonsense") as caught:
        ask(real_model, replace(HOT, json_schema={"type": "nonsense"}))

    assert caught.value.code == ErrorCode.INVALID_OPTIONS


def test_schema_that_takes_too_much_ends_only_its_own_answer(
    engine_model: EngineModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_constraint, "MAX_LEXER_STATES", 300)
    expected = read_text(ask(engine_model, HOT)[0])

    with ThreadPoolExecutor(2) as pool:
        other = pool.submit(ask, engine_model, HOT)
        hostile = pool.submit(ask, engine_model, replace(HOT, json_schema=TOO_MUCH))
        with pytest.raises(InferenceError, match="too many states"):
            hostile.result()

    assert read_text(other.result()[0]) == expected
    assert ask(engine_model, HOT)[1].finish_reason is FinishReason.STOP
