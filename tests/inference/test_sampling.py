"""Choosing a token: filters, penalties, and randomness by position."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from inference import sampling
from inference.requests import SamplingOptions
from inference.sampling import choose_token, draw, keep_top_k, keep_top_p, penalised, seed_position

PLAIN = SamplingOptions(temperature=1.0, top_p=1.0, top_k=0, presence_penalty=0.0)
LOGITS = torch.tensor([0.0, 3.0, 1.0, 2.0])


def choose(options: SamplingOptions, answer: tuple[int, ...] = ()) -> int:
    return choose_token(LOGITS, prompt_ids=(), answer_ids=answer, options=options)


def draw_many(options: SamplingOptions, count: int = 400) -> Counter[int]:
    return Counter(choose(replace(options, seed=seed)) for seed in range(count))


def list_penalised(
    logits: torch.Tensor,
    *,
    prompt: tuple[int, ...],
    answer: tuple[int, ...],
    options: SamplingOptions,
) -> list[float]:
    scores = logits.clone()
    with penalised(scores, prompt_ids=prompt, answer_ids=answer, options=options):
        penalised_scores: list[float] = scores.tolist()
    return penalised_scores


def test_temperature_zero_takes_the_highest() -> None:
    assert choose(replace(PLAIN, temperature=0.0)) == 1


def test_draws_follow_the_probabilities() -> None:
    counts = draw_many(PLAIN)

    expected = torch.softmax(LOGITS, 0).tolist()
    assert all(abs(counts[i] / 400 - expected[i]) < 0.08 for i in range(4))


def test_low_temperature_narrows_the_draws() -> None:
    assert draw_many(replace(PLAIN, temperature=0.2))[1] > draw_many(PLAIN)[1]


def test_top_k_keeps_the_highest() -> None:
    assert set(draw_many(replace(PLAIN, top_k=2))) == {1, 3}


def test_top_p_keeps_the_smallest_set_that_reaches_it() -> None:
    assert set(draw_many(replace(PLAIN, top_p=0.6))) == {1}
    assert set(draw_many(replace(PLAIN, top_p=0.8))) == {1, 3}


def test_top_p_zero_keeps_one() -> None:
    kept = keep_top_p(torch.tensor([0.7, 0.3]), 0.0)

    assert kept.tolist() == pytest.approx([0.7, 0.0])


@pytest.mark.parametrize("size", [151_936, 151_936 + 1, 2560, 128], ids=str)
@pytest.mark.parametrize("top_k", [1, 20, 50])
def test_top_k_of_a_large_vocabulary_is_that_of_all_scores(size: int, top_k: int) -> None:
    # Whole numbers are halved, so that no two scores are equal and the order is sure.
    scores = torch.randperm(size, generator=torch.Generator().manual_seed(size)) / 2 - size / 4

    kept, ids = keep_top_k(scores, top_k)

    expected = torch.topk(scores, top_k)
    assert kept.tolist() == expected.values.tolist()
    assert ids.tolist() == expected.indices.tolist()


def test_top_k_finds_scores_that_lie_side_by_side() -> None:
    scores = torch.zeros(151_936)
    scores[5_000:5_020] = torch.arange(1.0, 21.0)

    assert keep_top_k(scores, 20)[1].tolist() == list(range(5_019, 4_999, -1))


def test_top_k_beyond_the_vocabulary_keeps_all() -> None:
    scores, ids = keep_top_k(LOGITS, 99)

    assert ids.tolist() == [1, 3, 2, 0]
    assert scores.tolist() == [3.0, 2.0, 1.0, 0.0]


def test_presence_penalty_counts_once_and_only_the_answer() -> None:
    options = replace(PLAIN, presence_penalty=1.5)

    scores = list_penalised(LOGITS, prompt=(2,), answer=(1, 1, 1), options=options)

    assert scores == [0.0, 1.5, 1.0, 2.0]


def test_repetition_penalty_counts_prompt_and_answer() -> None:
    options = replace(PLAIN, repetition_penalty=2.0)

    scores = list_penalised(LOGITS - 2, prompt=(0,), answer=(1,), options=options)

    assert scores == [-4.0, 0.5, -1.0, 0.0]


def test_both_penalties_add_up() -> None:
    options = replace(PLAIN, presence_penalty=1.0, repetition_penalty=2.0)

    scores = list_penalised(LOGITS, prompt=(3, 3), answer=(1, 1), options=options)

    assert scores == [0.0, 0.5, 1.0, 1.0]


def test_penalties_leave_the_logits_alone() -> None:
    # No sum of thirds is exact: what is subtracted and added again would differ in the last bit.
    logits = torch.tensor([0.1, 3.3, -1 / 3, 2.0])
    before = logits.clone()
    options = replace(PLAIN, presence_penalty=1 / 3, repetition_penalty=1.3)

    choose_token(logits, prompt_ids=(0, 2, 2), answer_ids=(1, 2, 1), options=options)

    assert torch.equal(before, logits)


def test_penalties_leave_the_logits_alone_whatever_is_raised_meanwhile() -> None:
    logits = LOGITS.clone()
    options = replace(PLAIN, presence_penalty=1.0)

    with (
        pytest.raises(KeyError),
        penalised(logits, prompt_ids=(), answer_ids=(1,), options=options),
    ):
        raise KeyError

    assert torch.equal(logits, LOGITS)


def test_presence_penalty_changes_the_greedy_choice() -> None:
    assert choose(replace(PLAIN, temperature=0.0, presence_penalty=1.5), answer=(1,)) == 3


@pytest.mark.parametrize(
    ("threshold", "place"), [(0.0, 0), (0.49, 0), (0.5, 1), (0.76, 2), (0.999_999_999, 2)]
)
def test_draw_goes_by_the_share_of_each_place(threshold: float, place: int) -> None:
    assert draw(torch.tensor([0.5, 0.25, 0.25, 0.0]), threshold) == place


def test_same_seed_and_position_choose_the_same() -> None:
    assert [choose(PLAIN, (0,)) for _ in range(5)] == [choose(PLAIN, (0,))] * 5


def test_positions_draw_independently() -> None:
    drawn = {choose(PLAIN, (0,) * position) for position in range(40)}

    assert len(drawn) > 1


@pytest.mark.parametrize("seed", [0, -1, 2**70])
def test_any_seed_is_a_seed(seed: int) -> None:
    assert 0 <= seed_position(seed, 3) < 2**63


def test_seed_and_position_do_not_run_into_each_other() -> None:
    assert seed_position(1, 11) != seed_position(11, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_any_float_type_is_taken(dtype: torch.dtype) -> None:
    options = replace(PLAIN, temperature=0.0)

    chosen = choose_token(LOGITS.to(dtype), prompt_ids=(), answer_ids=(), options=options)

    assert chosen == 1


def test_log_probabilities_are_those_of_the_raw_scores() -> None:
    options = replace(PLAIN, temperature=0.0, presence_penalty=2.5, logprobs=2)

    choice = sampling.choose(LOGITS, prompt_ids=(), answer_ids=(1,), options=options)

    expected = torch.log_softmax(LOGITS, 0).tolist()
    assert choice.token_id == 3
    assert choice.scores is not None
    assert choice.scores.chosen == pytest.approx(expected[3])
    assert [token_id for token_id, _ in choice.scores.top] == [1, 3]
    assert [each for _, each in choice.scores.top] == pytest.approx([expected[1], expected[3]])


def test_log_probabilities_cost_nothing_where_nobody_asks() -> None:
    choice = sampling.choose(LOGITS, prompt_ids=(), answer_ids=(), options=PLAIN)

    assert choice.scores is None


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_only_what_is_allowed_is_chosen(temperature: float) -> None:
    allowed = torch.tensor([True, False, True, False])

    options = replace(PLAIN, temperature=temperature)
    chosen = {
        choose_token(
            LOGITS,
            prompt_ids=(),
            answer_ids=(),
            options=replace(options, seed=seed),
            allowed=allowed,
        )
        for seed in range(50)
    }

    assert chosen == ({2} if temperature == 0 else {0, 2})
