"""Which tokens may come: whatever is drawn of them is JSON of the schema, or is refused clearly."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import jsonschema
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from inference.errors import ErrorCode, InferenceError
from inference.json_constraint import MAX_SCHEMA_BYTES, JsonConstraints
from inference.model_source import BUNDLED_DEMO_DIR
from inference.requests import SamplingOptions
from tests.inference.json_walks import Walker

TOKENIZER = Tokenizer.from_file(str(BUNDLED_DEMO_DIR / "tokenizer.json"))
VOCABULARY = TOKENIZER.get_vocab_size()
EOS_ID = TOKENIZER.token_to_id("<|im_end|>") or 0
CONSTRAINTS = JsonConstraints(TOKENIZER, vocabulary=VOCABULARY, eos_ids=frozenset({EOS_ID}))
WALKER = Walker(TOKENIZER, EOS_ID)
BOX = {
    "type": "object",
    "properties": {
        "label": {"enum": ["red circle", "blue square"]},
        "bbox_2d": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 1000},
            "minItems": 4,
            "maxItems": 4,
        },
    },
    "required": ["label", "bbox_2d"],
    "additionalProperties": False,
}

LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": "number"}),
    st.builds(
        lambda least, more: {"type": "integer", "minimum": least, "maximum": least + more},
        st.integers(-500, 500),
        st.integers(0, 5000),
    ),
    st.builds(
        lambda least, more: {"type": "string", "minLength": least, "maxLength": least + more},
        st.integers(0, 3),
        st.integers(0, 6),
    ),
    st.builds(lambda words: {"enum": words}, st.lists(st.text(max_size=5), min_size=1, max_size=4)),
    st.builds(lambda word: {"const": word}, st.text(max_size=5)),
    st.just({"type": "string", "pattern": "^[a-f]{1,4}(-[0-9]{2})?$"}),
    st.just({"type": ["string", "null"], "maxLength": 4}),
)


def widen(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return schemas around others."""
    names = st.text(min_size=1, max_size=6)
    return st.one_of(
        st.builds(
            lambda items, least, more: {
                "type": "array",
                "items": items,
                "minItems": least,
                "maxItems": least + more,
            },
            inner,
            st.integers(0, 2),
            st.integers(0, 2),
        ),
        st.builds(
            lambda properties, needed: {
                "type": "object",
                "properties": properties,
                "required": list(properties)[:needed],
                "additionalProperties": False,
            },
            st.dictionaries(names, inner, max_size=3),
            st.integers(0, 3),
        ),
        st.builds(lambda kinds: {"anyOf": kinds}, st.lists(inner, min_size=1, max_size=2)),
    )


SCHEMAS = st.recursive(LEAVES, widen, max_leaves=5)


def hold(schema: dict[str, Any]) -> SamplingOptions:
    return SamplingOptions(json_schema=schema)


@given(schema=SCHEMAS, seed=st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_any_answer_to_its_end_is_json_of_the_schema(schema: dict[str, Any], seed: int) -> None:
    with CONSTRAINTS.begin(hold(schema), ()) as constraint:
        assert constraint is not None
        text = WALKER.read(WALKER.walk(constraint, Random(seed)))

    jsonschema.validate(json.loads(text), schema)


@pytest.mark.parametrize("seed", range(5))
def test_any_object_is_an_object(seed: int) -> None:
    with CONSTRAINTS.begin(SamplingOptions(json_object=True), ()) as constraint:
        assert constraint is not None
        text = WALKER.read(WALKER.walk(constraint, Random(seed)))

    assert isinstance(json.loads(text), dict)


def test_free_answer_has_no_constraint() -> None:
    with CONSTRAINTS.begin(SamplingOptions(), ()) as constraint:
        assert constraint is None


def test_answer_that_is_continued_is_held_as_the_undisturbed_one() -> None:
    with CONSTRAINTS.begin(hold(BOX), ()) as constraint:
        assert constraint is not None
        token_ids = WALKER.walk(constraint, Random(1))

    with CONSTRAINTS.begin(hold(BOX), ()) as whole:
        assert whole is not None
        for cut in range(len(token_ids) + 1):
            with CONSTRAINTS.begin(hold(BOX), token_ids[:cut]) as rest:
                assert rest is not None
                rest.look_ahead()
                whole.look_ahead()
                assert torch.equal(rest.wait()[0], whole.wait()[0])
            if cut < len(token_ids):
                whole.accept(token_ids[cut])


def test_masks_behind_a_draft_are_those_of_its_tokens_and_change_nothing() -> None:
    draft = TOKENIZER.encode('{"label":').ids
    with CONSTRAINTS.begin(hold(BOX), ()) as constraint:
        assert constraint is not None
        constraint.look_ahead(draft)
        ahead = constraint.wait()
        for token_id, expected in zip((*draft, None), ahead, strict=True):
            constraint.look_ahead()
            assert torch.equal(constraint.wait()[0], expected)
            if token_id is not None:
                constraint.accept(token_id)


def test_draft_fits_up_to_its_first_forbidden_token() -> None:
    fitting, forbidden = TOKENIZER.encode('{"label":').ids, TOKENIZER.encode("12").ids
    with CONSTRAINTS.begin(hold(BOX), ()) as constraint:
        assert constraint is not None

        assert constraint.count_fitting([*fitting, *forbidden]) == len(fitting)


def test_forbidden_token_is_refused() -> None:
    with CONSTRAINTS.begin(hold(BOX), ()) as constraint:
        assert constraint is not None

        with pytest.raises(InferenceError) as caught:
            constraint.accept(TOKENIZER.encode("x").ids[0])

    assert caught.value.code == ErrorCode.INVALID_OPTIONS


def test_tokens_that_do_not_begin_json_of_the_schema_are_refused() -> None:
    with pytest.raises(InferenceError), CONSTRAINTS.begin(hold(BOX), TOKENIZER.encode("No.").ids):
        pass


def nest(schema: dict[str, Any], depth: int) -> dict[str, Any]:
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


HOSTILE = {
    "unknown type": ({"type": "nonsense"}, "nonsense"),
    "type of another kind": ({"type": 5}, "type"),
    "impossible": ({"type": "integer", "minimum": 5, "maximum": 3}, "minimum"),
    "unknown format": ({"type": "string", "format": "weird"}, "weird"),
    "what cannot be kept": ({"type": "array", "uniqueItems": True}, "uniqueItems"),
    "its own word for leniency": (
        {"x-guidance": {"lenient": True}, "type": "array", "uniqueItems": True},
        "uniqueItems",
    ),
    "foreign reference": ({"$ref": "https://example.com/x.json"}, "example.com"),
    "reference to itself": ({"$ref": "#"}, "cannot be followed"),
    "broken pattern": ({"type": "string", "pattern": "(?=a)b"}, "look-around"),
    "very deep": (nest({}, 200), "recursion"),
    "deeper than Python": (nest({}, 5000), "recursion"),
    "many products": (
        {
            "allOf": [
                {"anyOf": [{"properties": {f"{i} {j}": {"type": "string"}}} for j in range(12)]}
                for i in range(12)
            ]
        },
        "too large",
    ),
    "long": ({"enum": ["x" * MAX_SCHEMA_BYTES]}, "65536"),
    "no JSON": ({"enum": [object()]}, "not JSON"),
    "no number": ({"minimum": float("nan")}, "expected value"),
    "half a character": ({"const": "\ud800"}, "hex escape"),
    "far too long": ({"type": "string", "minLength": 10**12}, "invalid"),
    "circle": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        "cannot be followed",
    ),
}


@pytest.mark.parametrize(
    ("schema", "said"), [pytest.param(*case, id=name) for name, case in HOSTILE.items()]
)
def test_schema_that_cannot_be_followed_is_refused_with_the_reason(
    schema: dict[str, Any], said: str
) -> None:
    with pytest.raises(InferenceError, match=said) as caught, CONSTRAINTS.begin(hold(schema), ()):
        pass

    assert caught.value.code == ErrorCode.INVALID_OPTIONS
    assert "\n" not in caught.value.message
    assert not caught.value.message.endswith(">")


def test_schema_that_takes_too_much_on_the_way_is_refused_there() -> None:
    schema = {"type": "string", "pattern": "(a+)+(b|c|[^d]){200}x(.|y){300}"}

    with CONSTRAINTS.begin(hold(schema), ()) as constraint:
        assert constraint is not None
        with pytest.raises(InferenceError, match="too many states") as caught:
            WALKER.walk(constraint, Random(1))

    assert caught.value.code == ErrorCode.INVALID_OPTIONS


def test_mask_that_nobody_asked_for_is_not_waited_for() -> None:
    with CONSTRAINTS.begin(hold(BOX), ()) as constraint:
        assert constraint is not None
        with pytest.raises(ValueError, match="looked ahead"):
            constraint.wait()


@pytest.mark.parametrize(
    "tokenizer",
    [None, Tokenizer(models.WordLevel({"a": 0, "b": 1}, unk_token="a"))],
    ids=["of another library", "of whole words"],
)
def test_model_with_another_kind_of_tokenizer_follows_no_schema(
    tokenizer: Tokenizer | None,
) -> None:
    constraints = JsonConstraints(tokenizer, vocabulary=2, eos_ids=frozenset({1}))

    with (
        pytest.raises(InferenceError, match="tokenizer") as caught,
        constraints.begin(hold(BOX), ()),
    ):
        pass

    assert caught.value.code == ErrorCode.INVALID_OPTIONS


def test_vocabulary_that_is_wider_than_the_tokenizer_gets_masks_of_its_width() -> None:
    constraints = JsonConstraints(
        TOKENIZER, vocabulary=VOCABULARY + 50, eos_ids=frozenset({EOS_ID})
    )

    with constraints.begin(hold(BOX), ()) as constraint:
        assert constraint is not None
        constraint.look_ahead()
        mask = constraint.wait()[0]

    assert mask.shape == (VOCABULARY + 50,)
    assert not mask[VOCABULARY:].any()
