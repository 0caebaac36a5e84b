"""What every set of kernels must do: products and layers against plain torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from inference.config import Quantization
from inference.engine.kernels.base import Activation, Kernels, TextLayer, TextStep
from inference.engine.kernels.cache_rows import narrow
from inference.engine.shape import TextShape
from tests.inference.engine.kernels.reference import (
    TEXT,
    VISION,
    Span,
    cached,
    copy_step,
    dense,
    error,
    make_step,
    make_text_layers,
    make_vision_layers,
    mean_error,
    random,
    run_text,
    run_vision,
)

NARROW = [pytest.param(torch.int8, id="int8"), pytest.param(torch.bfloat16, id="bf16")]
EVERY = [pytest.param(quantization, id=quantization.value) for quantization in Quantization]
GROUPED = [
    pytest.param(Quantization.INT8, 0.007, id="int8"),
    pytest.param(Quantization.INT4, 0.12, id="int4"),
]
# Quantised products round the activations to 16 bits, avx512 to 8; others sum in another order.
PRODUCT_ERROR = {
    Quantization.INT8: 1e-3,
    Quantization.INT4: 1e-3,
    Quantization.BF16: 1e-5,
    Quantization.FP32: 1e-5,
}
EIGHT_BITS_ERROR = 0.03
ROWS = [1, 2, 3, 7, 16, 33, 130]
OUTPUTS, INPUTS = 200, 544  # more than one chunk of inputs, and neither divides evenly
OUTLIER = 1000.0

STEPS = {
    "one row": [Span(40, 1)],
    "long context": [Span(1100, 1)],
    "whole prompt": [Span(0, 75)],
    "chunk": [Span(70, 20)],
    "mixed": [Span(5, 1), Span(0, 33), Span(16, 1), Span(31, 2), Span(63, 17)],
}


def product_error(kernels: Kernels, quantization: Quantization) -> float:
    """Return how far a product may be from the dense one, relative to its root mean square."""
    is_quantised = quantization in {Quantization.INT8, Quantization.INT4}
    if is_quantised and kernels.name == "avx512":
        return EIGHT_BITS_ERROR
    return PRODUCT_ERROR[quantization]


def layers_error(kernels: Kernels, quantization: Quantization) -> float:
    """Return the same behind the three layers of the tests."""
    error_of_one = product_error(kernels, quantization)
    return 0.08 if error_of_one == EIGHT_BITS_ERROR else 10 * error_of_one


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("quantization", EVERY)
def test_product_equals_the_dense_one(
    kernels: Kernels, quantization: Quantization, rows: int
) -> None:
    matrix = kernels.pack(random(OUTPUTS, INPUTS, seed=0), quantization)
    x = random(rows, INPUTS, seed=1)

    found = kernels.linear(x, matrix)

    expected = x.double() @ dense(kernels, matrix).double().T
    assert error(found, expected) < product_error(kernels, quantization)


@pytest.mark.parametrize("quantization", EVERY)
@pytest.mark.parametrize("outputs", [1, 15, 16, 17, 47])
def test_outputs_need_no_multiple_of_anything(
    kernels: Kernels, outputs: int, quantization: Quantization
) -> None:
    matrix = kernels.pack(random(outputs, 64, seed=0), quantization)
    x = random(9, 64, seed=1)

    found = kernels.linear(x, matrix)

    assert found.shape == (9, outputs)
    assert error(found, x @ dense(kernels, matrix).T) < product_error(kernels, quantization)


@pytest.mark.parametrize("quantization", EVERY)
def test_bias_and_gelu_follow_the_product(kernels: Kernels, quantization: Quantization) -> None:
    matrix = kernels.pack(random(40, 64, seed=0), quantization)
    x, bias = random(5, 64, seed=1), random(40, seed=2)

    found = kernels.linear(x, matrix, bias, Activation.GELU_TANH)

    plain = x @ dense(kernels, matrix).T + bias
    expected = functional.gelu(plain, approximate="tanh")
    assert error(found, expected) < product_error(kernels, quantization)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=["bf16", "fp32"])
@pytest.mark.parametrize(("quantization", "bound"), GROUPED)
def test_packing_loses_little(
    kernels: Kernels, quantization: Quantization, bound: float, dtype: torch.dtype
) -> None:
    weight = random(50, 96, seed=0).to(dtype)

    found = dense(kernels, kernels.pack(weight, quantization))

    assert float((found - weight).norm() / weight.float().norm()) < bound


@pytest.mark.parametrize("quantization", EVERY)
def test_bfloat16_source_packs_as_its_float32_copy(
    kernels: Kernels, quantization: Quantization
) -> None:
    weight = random(50, 96, seed=0).bfloat16()

    narrow, wide = kernels.pack(weight, quantization), kernels.pack(weight.float(), quantization)

    assert torch.equal(narrow.data, wide.data)


@pytest.mark.parametrize("quantization", EVERY)
def test_matrix_is_packed_into_the_memory_that_is_given(
    kernels: Kernels, quantization: Quantization
) -> None:
    weight = random(50, 96, seed=0)
    out = torch.zeros(kernels.packed_bytes(50, 96, quantization), dtype=torch.uint8)

    matrix = kernels.pack(weight, quantization, out)

    assert matrix.data.data_ptr() == out.data_ptr()
    assert torch.equal(out, kernels.pack(weight, quantization).data)


@pytest.mark.parametrize("quantization", EVERY)
def test_rows_are_read_in_the_order_asked_for(kernels: Kernels, quantization: Quantization) -> None:
    matrix = kernels.pack(random(50, 96, seed=0), quantization)
    rows = torch.tensor([49, 0, 17, 17, 3])

    assert torch.equal(kernels.unpack_rows(matrix, rows), dense(kernels, matrix)[rows])


@pytest.mark.parametrize(("quantization", "bound"), GROUPED)
def test_outliers_in_activations_spoil_nothing(
    kernels: Kernels, quantization: Quantization, bound: float
) -> None:
    weight, x = random(OUTPUTS, INPUTS, seed=0), random(7, INPUTS, seed=1)
    x[:, ::97] *= OUTLIER
    weight[:, ::97] = 0  # what the outliers would hide is all that is left

    found = kernels.linear(x, kernels.pack(weight, quantization))

    # The other numbers of an outlier's group keep 16 bits below it: an error of OUTLIER / 2^16.
    assert error(found, x @ weight.T) < 5 * bound + 5 * OUTLIER / 2**16


@pytest.mark.parametrize("rows", [1, 5, 130])
@pytest.mark.parametrize("quantization", EVERY)
def test_many_groups_may_have_outliers(
    kernels: Kernels, quantization: Quantization, rows: int
) -> None:
    matrix = kernels.pack(random(OUTPUTS, INPUTS, seed=0), quantization)
    x = random(rows, INPUTS, seed=1) ** 5

    found = kernels.linear(x, matrix)

    expected = x.double() @ dense(kernels, matrix).double().T
    assert error(found, expected) < product_error(kernels, quantization)


@pytest.mark.parametrize(("quantization", "bound"), GROUPED)
def test_outliers_in_weights_cost_only_their_group(
    kernels: Kernels, quantization: Quantization, bound: float
) -> None:
    weight, x = random(OUTPUTS, INPUTS, seed=0), random(7, INPUTS, seed=1)
    weight[:, 5] *= OUTLIER
    most = 5 * bound + product_error(kernels, quantization)

    found = kernels.linear(x, kernels.pack(weight, quantization))

    expected = x @ weight.T
    assert error(found, expected) < most
    x[:, :32] = 0  # without the outlier's group nothing of it is felt
    others = kernels.linear(x, kernels.pack(weight, quantization))
    assert error(others, x @ weight.T) < most


# Uneven inputs: those of a matrix behind an activation function -----------------------------------


def random_behind_swiglu(rows: int) -> Tensor:
    return functional.silu(random(rows, INPUTS, seed=1)) * random(rows, INPUTS, seed=2)


@pytest.mark.parametrize("rows", ROWS)
def test_product_of_uneven_inputs_equals_the_dense_one(kernels: Kernels, rows: int) -> None:
    weight, x = random(OUTPUTS, INPUTS, seed=0), random_behind_swiglu(rows)
    matrix = kernels.pack(weight, Quantization.INT8, has_uneven_inputs=True)

    found = kernels.linear(x, matrix)

    expected = x.double() @ dense(kernels, matrix).double().T
    assert error(found, expected) < product_error(kernels, Quantization.INT8)


@pytest.mark.parametrize("outliers", [1, 3, 12])
def test_outliers_among_uneven_inputs_hide_no_others(kernels: Kernels, outliers: int) -> None:
    weight, others = random(OUTPUTS, INPUTS, seed=0), random_behind_swiglu(7)
    matrix = kernels.pack(weight, Quantization.INT8, has_uneven_inputs=True)
    large = torch.zeros_like(others)
    large[:, 130 : 130 + outliers] = OUTLIER

    found = kernels.linear(others + large, matrix)

    packed = dense(kernels, matrix).double()
    left = found.double() - large.double() @ packed.T
    bound = product_error(kernels, Quantization.INT8) + 5 * OUTLIER / 2**16
    assert error(left, others.double() @ packed.T) < bound


@pytest.mark.parametrize(("quantization", "bound"), GROUPED)
def test_packing_for_uneven_inputs_loses_little(
    kernels: Kernels, quantization: Quantization, bound: float
) -> None:
    weight = random(50, 96, seed=0)

    found = dense(kernels, kernels.pack(weight, quantization, has_uneven_inputs=True))

    assert mean_error(found, weight) < bound


def test_an_outlier_in_weights_for_uneven_inputs_costs_its_neighbours_nothing(
    kernels: Kernels,
) -> None:
    weight, x = random(OUTPUTS, INPUTS, seed=0), random_behind_swiglu(7)
    weight[:, 5] *= OUTLIER
    matrix = kernels.pack(weight, Quantization.INT8, has_uneven_inputs=True)

    found = kernels.linear(x, matrix)

    packed = dense(kernels, matrix)
    assert mean_error(found, x @ packed.T) < product_error(kernels, Quantization.INT8)
    others = torch.arange(INPUTS) != 5  # the outlier's
    assert mean_error(packed[:, others], weight[:, others]) < 0.007  # as without


@pytest.mark.parametrize("quantization", EVERY)
def test_not_a_number_spoils_its_own_row_only(kernels: Kernels, quantization: Quantization) -> None:
    matrix = kernels.pack(random(20, 64, seed=0), quantization)
    x = random(3, 64, seed=1)
    x[1, 40] = torch.nan

    found = kernels.linear(x, matrix)

    assert found.isnan().all(dim=1).tolist() == [False, True, False]
    assert found[[0, 2]].isfinite().all()


def run_both(
    kernels: Kernels, spans: list[Span], quantization: Quantization, cache_dtype: torch.dtype
) -> tuple[TextStep, TextStep]:
    """Run a step through layers of the kernels and of the reference; return both."""
    layers = make_text_layers(kernels, quantization)
    step = make_step(spans, cache_dtype)
    expected = run_text(kernels, layers, step)
    kernels.text_layers(TEXT, layers).run(step, 0, len(layers))
    return step, expected


@pytest.mark.parametrize("quantization", EVERY)
@pytest.mark.parametrize("spans", STEPS.values(), ids=STEPS.keys())
def test_text_layers_equal_the_reference(
    kernels: Kernels, spans: list[Span], quantization: Quantization
) -> None:
    dtype = torch.float32 if quantization is Quantization.FP32 else torch.bfloat16

    step, expected = run_both(kernels, spans, quantization, dtype)

    # A last bit of a bfloat16 key or value may fall the other way.
    bound = 1e-4 if dtype is torch.float32 else max(2e-2, layers_error(kernels, quantization))
    assert error(step.hidden, expected.hidden) < bound
    assert torch.equal(step.cache.isnan(), expected.cache.isnan())
    kept = ~expected.cache.isnan()
    assert error(step.cache[kept].float(), expected.cache[kept].float()) < bound


@pytest.mark.parametrize("quantization", EVERY)
@pytest.mark.parametrize("spans", STEPS.values(), ids=STEPS.keys())
def test_text_layers_over_eight_bits_equal_the_reference(
    kernels: Kernels, spans: list[Span], quantization: Quantization
) -> None:
    step, expected = run_both(kernels, spans, quantization, torch.int8)

    # A key or value may fall to the next step, 1 % of its group's largest, but few do.
    bound = max(5e-3, layers_error(kernels, quantization))
    assert mean_error(step.hidden, expected.hidden) < bound
    found, right = cached(step), cached(expected)
    assert torch.equal(found.isnan(), right.isnan())
    assert mean_error(found.nan_to_num(0), right.nan_to_num(0)) < bound


@pytest.mark.parametrize("spans", [[Span(200, 1)], [Span(0, 100)]], ids=["one row", "prompt"])
@pytest.mark.parametrize("part", ["none", "queries", "keys", "values"])
def test_outliers_spoil_nothing_over_eight_bits(
    kernels: Kernels, part: str, spans: list[Span]
) -> None:
    shape = replace(TEXT, head_dim=128, layers=1)
    layer = plant(kernels, make_text_layers(kernels, Quantization.FP32, shape)[0], part, shape)
    exact = make_step(spans, shape=shape)
    step = replace(copy_step(exact), cache=narrow(exact.cache, torch.int8))

    kernels.text_layers(shape, [layer]).run(step, 0, 1)

    expected = run_text(kernels, [layer], exact, shape)
    assert error(step.hidden, expected.hidden) < 2 * layers_error(kernels, Quantization.INT8)


def plant(kernels: Kernels, layer: TextLayer, part: str, shape: TextShape) -> TextLayer:
    """Make one channel of a part an outlier; what it would hide is all that is left.

    So nothing follows from the channel itself: what it meets is nought, in both dims of its rotary
    pair.
    """
    width, channel = shape.head_dim, 5
    queries, keys = layer.q_norm.clone(), layer.k_norm.clone()
    mixed, out = dense(kernels, layer.qkv).clone(), dense(kernels, layer.o).clone()
    large, met = (queries, keys) if part == "queries" else (keys, queries)
    if part in {"queries", "keys"}:
        large[channel] = OUTLIER
        met[[channel, channel + width // 2]] = 0
    if part == "values":
        mixed[(shape.heads + shape.kv_heads) * width + channel] *= OUTLIER
        out[:, channel::width] = 0
    return replace(
        layer,
        q_norm=queries,
        k_norm=keys,
        qkv=kernels.pack(mixed, Quantization.FP32),
        o=kernels.pack(out, Quantization.FP32),
    )


@pytest.mark.parametrize("spans", [[Span(200, 1)], [Span(0, 100)]], ids=["one row", "prompt"])
def test_not_a_number_reaches_all_that_see_it_over_eight_bits(
    kernels: Kernels, spans: list[Span]
) -> None:
    layers = make_text_layers(kernels, Quantization.FP32)
    step = make_step([*spans, *spans], torch.int8)
    half = len(step.hidden) // 2
    step.hidden[half - 1, 7] = torch.nan

    kernels.text_layers(TEXT, layers).run(step, 0, 1)

    assert step.hidden[half - 1].isnan().all()
    assert step.hidden[half:].isfinite().all()


@pytest.mark.parametrize(
    ("heads", "kv_heads"), [(6, 2), (5, 1), (3, 3)], ids=["three", "five", "one"]
)
def test_query_heads_share_key_heads(kernels: Kernels, heads: int, kv_heads: int) -> None:
    shape = replace(TEXT, heads=heads, kv_heads=kv_heads, layers=1)
    layers = make_text_layers(kernels, Quantization.FP32, shape)
    step = make_step([Span(20, 1), Span(3, 30)], shape=shape)
    expected = run_text(kernels, layers, step, shape)

    kernels.text_layers(shape, layers).run(step, 0, 1)

    assert error(step.hidden, expected.hidden) < 1e-4


def test_deep_stack_features_are_added_behind_the_first_layers(kernels: Kernels) -> None:
    layers = make_text_layers(kernels, Quantization.FP32)
    rows = torch.tensor([3, 4, 9], dtype=torch.int32)
    step = replace(make_step([Span(0, 12)]), deep=random(2, 3, TEXT.hidden, seed=5), deep_rows=rows)
    expected = run_text(kernels, layers, step)

    kernels.text_layers(TEXT, layers).run(step, 0, len(layers))

    assert error(step.hidden, expected.hidden) < 1e-4


def _take(step_hidden: Tensor, rows: slice) -> Tensor:
    return step_hidden[rows].clone()


@pytest.mark.parametrize(
    ("dtype", "bound"),
    [pytest.param(torch.float32, 1e-4, id="fp32"), pytest.param(torch.int8, 5e-3, id="int8")],
)
def test_chunked_prompt_equals_the_whole_one(
    kernels: Kernels, dtype: torch.dtype, bound: float
) -> None:
    layers = kernels.text_layers(TEXT, make_text_layers(kernels, Quantization.FP32))
    whole = make_step([Span(0, 90)], dtype)
    chunks = copy_step(whole)
    layers.run(whole, 0, 3)

    for start, end in [(0, 30), (30, 31), (31, 90)]:
        rows = slice(start, end)
        part = replace(
            chunks,
            hidden=_take(chunks.hidden, rows),
            cos=_take(chunks.cos, rows),
            sin=_take(chunks.sin, rows),
            row_starts=torch.tensor([0, end - start], dtype=torch.int32),
            first_index=torch.tensor([start], dtype=torch.int32),
        )
        layers.run(part, 0, 3)
        chunks.hidden[rows] = part.hidden

    assert error(chunks.hidden, whole.hidden) < bound


@pytest.mark.parametrize("dtype", NARROW)
def test_layers_in_pieces_equal_all_at_once(kernels: Kernels, dtype: torch.dtype) -> None:
    layers = kernels.text_layers(TEXT, make_text_layers(kernels, Quantization.INT8))
    step = make_step([Span(5, 1), Span(0, 33)], dtype)
    pieces = copy_step(step)

    layers.run(step, 0, 3)
    for first, last in [(0, 1), (1, 1), (1, 3)]:
        layers.run(pieces, first, last)

    assert torch.equal(pieces.hidden, step.hidden)


def test_sequences_share_the_pages_of_a_common_beginning(kernels: Kernels) -> None:
    layers = make_text_layers(kernels, Quantization.FP32)
    step = make_step([Span(32, 3), Span(32, 1)])
    step.page_tables[1, :2] = step.page_tables[0, :2]
    expected = run_text(kernels, layers, step)

    kernels.text_layers(TEXT, layers).run(step, 0, len(layers))

    assert error(step.hidden, expected.hidden) < 1e-4


@pytest.mark.parametrize("quantization", EVERY)
@pytest.mark.parametrize(
    "bounds",
    [[0, 144], [0, 4, 4, 100, 260], [0, 257, 577, 1154]],
    ids=["one picture", "several pictures", "large pictures"],
)
def test_vision_layers_equal_the_reference(
    kernels: Kernels, bounds: list[int], quantization: Quantization
) -> None:
    layers = make_vision_layers(kernels, quantization)
    hidden = random(bounds[-1], VISION.hidden, seed=1)
    angles = random(bounds[-1], VISION.head_dim // 2, seed=2, scale=3).repeat(1, 2)
    edges = torch.tensor(bounds, dtype=torch.int32)
    expected = run_vision(kernels, layers, hidden, angles, bounds=edges)

    tower = kernels.vision_layers(VISION, layers)
    tower.run(hidden, angles.cos(), angles.sin(), edges, 0, 2)
    tower.run(hidden, angles.cos(), angles.sin(), edges, 2, 3)

    assert error(hidden, expected) < layers_error(kernels, quantization)


@pytest.mark.parametrize("heads", [2, 4, 8])
def test_heads_of_the_tower_may_have_any_width(kernels: Kernels, heads: int) -> None:
    shape = replace(VISION, depth=1, hidden=256, heads=heads)
    layers = make_vision_layers(kernels, Quantization.INT8, shape)
    hidden, edges = random(130, shape.hidden, seed=1), torch.tensor([0, 130], dtype=torch.int32)
    angles = random(130, shape.head_dim // 2, seed=2, scale=3).repeat(1, 2)
    expected = run_vision(kernels, layers, hidden, angles, bounds=edges, shape=shape)

    kernels.vision_layers(shape, layers).run(hidden, angles.cos(), angles.sin(), edges, 0, 1)

    assert error(hidden, expected) < layers_error(kernels, Quantization.INT8)


@pytest.mark.parametrize("part", [0, 1, 2], ids=["queries", "keys", "values"])
def test_outliers_in_attention_spoil_nothing(kernels: Kernels, part: int) -> None:
    hidden, edges = random(130, VISION.hidden, seed=1), torch.tensor([0, 130], dtype=torch.int32)
    angles = torch.zeros(130, VISION.head_dim)  # or the outlier would turn
    layer = make_vision_layers(kernels, Quantization.INT8)[0]
    bias, proj = layer.qkv_bias.clone(), dense(kernels, layer.proj).clone()
    bias[part * VISION.hidden + 5] = OUTLIER
    proj[:, 5] = 0  # what the outlier would hide is all that is left
    layer = replace(layer, qkv_bias=bias, proj=kernels.pack(proj, Quantization.INT8))
    expected = run_vision(kernels, [layer], hidden, angles, bounds=edges)

    tower = kernels.vision_layers(VISION, [layer])
    tower.run(hidden, angles.cos(), angles.sin(), edges, 0, 1)

    assert error(hidden, expected) < 2 * layers_error(kernels, Quantization.INT8)


def test_not_a_number_in_a_picture_leaves_the_others_alone(kernels: Kernels) -> None:
    tower = kernels.vision_layers(VISION, make_vision_layers(kernels, Quantization.INT8))
    hidden = random(200, VISION.hidden, seed=1)
    hidden[110, 7] = torch.nan
    angles, edges = torch.zeros(200, VISION.head_dim), torch.tensor([0, 100, 200]).int()

    tower.run(hidden, angles.cos(), angles.sin(), edges, 0, 1)

    assert hidden[:100].isfinite().all()
    assert hidden[100:].isnan().all(dim=1).all()


@pytest.mark.parametrize(
    "bounds", [[0, 1200], [0, 4, 500, 502, 1700]], ids=["one picture", "several pictures"]
)
def test_parts_of_a_layer_do_what_the_layer_does(kernels: Kernels, bounds: list[int]) -> None:
    tower = kernels.vision_layers(VISION, make_vision_layers(kernels, Quantization.INT8))
    angles = random(bounds[-1], VISION.head_dim // 2, seed=2, scale=3).repeat(1, 2)
    edges = torch.tensor(bounds, dtype=torch.int32)
    whole = random(bounds[-1], VISION.hidden, seed=1)
    divided = whole.clone()

    tower.run(whole, angles.cos(), angles.sin(), edges, 0, 2)
    for layer in range(2):
        for part in range(tower.parts(edges)):
            tower.run_part(divided, angles.cos(), angles.sin(), edges, layer, part)

    assert torch.equal(whole, divided)


@pytest.mark.parametrize(("layer", "part"), [(0, 3), (1, 1), (0, 7), (0, -1)])
def test_a_part_out_of_turn_is_refused(kernels: Kernels, layer: int, part: int) -> None:
    tower = kernels.vision_layers(VISION, make_vision_layers(kernels, Quantization.INT8))
    hidden, angles = torch.zeros(1200, VISION.hidden), torch.zeros(1200, VISION.head_dim)
    edges = torch.tensor([0, 1200], dtype=torch.int32)
    tower.run_part(hidden, angles, angles, edges, 0, 0)

    with pytest.raises(ValueError, match="next part"):
        tower.run_part(hidden, angles, angles, edges, layer, part)
