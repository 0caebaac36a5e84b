"""What only the native kernels promise: the same bits always, no unchecked address, threads."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from inference.config import Quantization
from inference.engine.kernels.base import PackedMatrix, TextStep
from inference.engine.kernels.cache_rows import narrow
from inference.engine.kernels.native import NativeKernels
from inference.engine.speculation import MOST_DRAFT_TOKENS
from tests.inference.engine.kernels.reference import (
    TEXT,
    VISION,
    Span,
    copy_step,
    dense,
    make_step,
    make_text_layers,
    make_vision_layers,
    mean_error,
    random,
)

NARROW = [pytest.param(torch.int8, id="int8"), pytest.param(torch.bfloat16, id="bf16")]
EVERY = [pytest.param(quantization, id=quantization.value) for quantization in Quantization]
SPANS = [Span(600, 1), Span(0, 70), Span(16, 1)]


# A few are multiplied by vectors, more by AMX where there is any, and the most in several units.
@pytest.mark.parametrize("rows", [9, 10, 17, 141, 600])
@pytest.mark.parametrize("power", [1, 5], ids=["normal", "full of outliers"])
@pytest.mark.parametrize("is_uneven", [False, True], ids=["even", "uneven"])
@pytest.mark.parametrize("quantization", EVERY)
def test_row_does_not_depend_on_the_rows_beside_it(
    native: NativeKernels, quantization: Quantization, power: int, rows: int, *, is_uneven: bool
) -> None:
    weight = random(50, 544, seed=0)
    weight[::7, 130] *= 1000  # outweighs its group
    matrix = native.pack(weight, quantization, has_uneven_inputs=is_uneven)
    x = random(rows, 544, seed=1) ** power

    together = native.linear(x, matrix)

    alone = torch.cat([native.linear(row[None], matrix) for row in x])
    assert torch.equal(together, alone)


def test_int8_alone_has_a_form_for_uneven_inputs(native: NativeKernels) -> None:
    forms = {q: (native.layout(q), native.layout(q, has_uneven_inputs=True)) for q in Quantization}

    assert [q for q, (even, uneven) in forms.items() if even != uneven] == [Quantization.INT8]


def test_weights_that_stand_apart_are_read_only_where_there_are_any(native: NativeKernels) -> None:
    outputs, inputs = 200, 544  # several blocks, and a group that is not full
    weight, x = random(outputs, inputs, seed=0), random(9, inputs, seed=1)
    even = native.pack(weight, Quantization.INT8)
    weight[77, 130] *= 1000
    matrix = native.pack(weight, Quantization.INT8)

    found = native.linear(x, matrix)

    assert mean_error(found, x @ dense(native, matrix).T) < 0.03
    others = torch.arange(outputs) != 77
    assert torch.equal(found[:, others], native.linear(x, even)[:, others])
    read = native.read_bytes(outputs, inputs, Quantization.INT8)
    damaged = replace(even, data=even.data.clone())
    # Behind what a product reads there is a byte for each block, all 0, and then what stands apart.
    damaged.data[read + 64 :] = 0xFF
    assert not even.data[read : read + 64].any()
    assert torch.equal(native.linear(x, damaged), native.linear(x, even))


@pytest.mark.parametrize("is_uneven", [False, True], ids=["even", "uneven"])
def test_what_stands_apart_in_a_damaged_matrix_meets_an_input_of_its_group(
    native: NativeKernels, *, is_uneven: bool
) -> None:
    matrix = native.pack(random(40, 544, seed=0), Quantization.INT8, has_uneven_inputs=is_uneven)
    read = native.read_bytes(40, 544, Quantization.INT8)
    matrix.data[read : read + 64] = 1
    matrix.data[read + 64 :] = 0xFF  # NaN, for an input that no group has

    rows = dense(native, matrix)

    # The last group has 32 inputs of 128, the others one NaN for each output.
    assert rows.isnan().sum(dim=1).tolist() == [4] * 40
    assert native.linear(random(9, 544, seed=1), matrix).isnan().all()


def test_amx_is_used_only_where_the_processor_has_it(native: NativeKernels) -> None:
    flags = Path("/proc/cpuinfo").read_text().split()

    assert not native.uses_amx or (native.name == "avx512" and "amx_int8" in flags)


@pytest.mark.parametrize("quantization", EVERY)
def test_product_does_not_depend_on_threads(
    native: NativeKernels, quantization: Quantization
) -> None:
    weight, x = random(300, 96, seed=0), random(100, 96, seed=1)
    results = []
    for threads in (1, 2, 5):
        native.set_threads(threads)
        results.append(native.linear(x, native.pack(weight, quantization)))

    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("dtype", NARROW)
def test_text_layers_do_not_depend_on_threads(native: NativeKernels, dtype: torch.dtype) -> None:
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))
    alone = make_step(SPANS, dtype)
    together = copy_step(alone)

    native.set_threads(1)
    layers.run(alone, 0, TEXT.layers)
    native.set_threads(2)
    layers.run(together, 0, TEXT.layers)

    assert torch.equal(alone.hidden, together.hidden)


def test_vision_layers_do_not_depend_on_threads(native: NativeKernels) -> None:
    tower = native.vision_layers(VISION, make_vision_layers(native, Quantization.INT8))
    bounds = torch.tensor([0, 30, 130], dtype=torch.int32)
    angles = random(130, VISION.head_dim, seed=2)
    results = [random(130, VISION.hidden, seed=1) for _ in range(2)]

    for threads, hidden in enumerate(results, start=1):
        native.set_threads(threads)
        tower.run(hidden, angles.cos(), angles.sin(), bounds, 0, VISION.depth)

    assert torch.equal(results[0], results[1])


def test_a_layer_of_a_large_picture_has_several_parts(native: NativeKernels) -> None:
    tower = native.vision_layers(VISION, make_vision_layers(native, Quantization.INT8))

    assert [tower.parts(_int32(0, rows)) for rows in (96, 480, 481, 1200, 4096)] == [2, 2, 3, 4, 10]


def test_parts_of_another_pass_in_between_are_refused(native: NativeKernels) -> None:
    tower = native.vision_layers(VISION, make_vision_layers(native, Quantization.INT8))
    first, second = torch.zeros(4, VISION.hidden), torch.zeros(4, VISION.hidden)
    angles = torch.zeros(4, VISION.head_dim)
    tower.run_part(first, angles, angles, _int32(0, 4), 0, 0)
    tower.run_part(second, angles, angles, _int32(0, 4), 0, 0)

    with pytest.raises(ValueError, match="next part"):
        tower.run_part(first, angles, angles, _int32(0, 4), 0, 1)


def test_rows_of_the_cache_are_those_that_torch_makes(native: NativeKernels) -> None:
    layer = make_text_layers(native, Quantization.FP32)[0]
    mixed = dense(native, layer.qkv) * random(8 * 32, 1, seed=9) ** 5
    layer = replace(
        layer,
        k_norm=random(32, seed=8) ** 5,
        qkv=native.pack(mixed.contiguous(), Quantization.FP32),
    )
    layers = native.text_layers(replace(TEXT, layers=1), [layer])
    exact = make_step([Span(0, 70)], shape=replace(TEXT, layers=1))
    step = replace(copy_step(exact), cache=narrow(exact.cache, torch.int8))

    layers.run(exact, 0, 1)
    layers.run(step, 0, 1)

    written = ~exact.cache.isnan().any(-1)
    expected = narrow(exact.cache, torch.int8)
    assert torch.equal(step.cache[written], expected[written])
    has_outlier = expected[written][:, :32].eq(-128).any(-1)
    assert 0.1 < has_outlier.float().mean() < 0.9


@pytest.mark.parametrize("dtype", NARROW)
def test_sequence_does_not_depend_on_those_beside_it(
    native: NativeKernels, dtype: torch.dtype
) -> None:
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))
    together = make_step(SPANS, dtype)
    start, end = 1, 71
    alone = replace(
        copy_step(together),
        hidden=together.hidden[start:end].clone(),
        cos=together.cos[start:end].clone(),
        sin=together.sin[start:end].clone(),
        row_starts=torch.tensor([0, end - start], dtype=torch.int32),
        first_index=together.first_index[1:2].clone(),
        page_tables=together.page_tables[1:2].clone(),
    )

    layers.run(together, 0, TEXT.layers)
    layers.run(alone, 0, TEXT.layers)

    assert torch.equal(alone.hidden, together.hidden[start:end])


@pytest.mark.parametrize("dtype", NARROW)
def test_drafts_do_what_a_token_a_step_does(native: NativeKernels, dtype: torch.dtype) -> None:
    rows = MOST_DRAFT_TOKENS + 1
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))
    together = make_step([Span(508, rows)], dtype)
    alone = copy_step(together)

    layers.run(together, 0, TEXT.layers)
    for row in range(rows):
        one = slice(row, row + 1)
        step = replace(
            alone,
            hidden=alone.hidden[one],
            cos=alone.cos[one],
            sin=alone.sin[one],
            row_starts=_int32(0, 1),
            first_index=alone.first_index + row,
        )
        layers.run(step, 0, TEXT.layers)

    assert torch.equal(alone.hidden, together.hidden)
    assert torch.equal(alone.cache.view(torch.uint8), together.cache.view(torch.uint8))


@pytest.mark.parametrize("dtype", NARROW)
@pytest.mark.parametrize("scored", [(), (0,), (3, 70, 71), (1, 2, 3, 4)])
def test_scored_rows_do_not_depend_on_what_the_others_are_spared(
    native: NativeKernels, dtype: torch.dtype, scored: tuple[int, ...]
) -> None:
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))
    whole = make_step(SPANS, dtype)
    part = replace(copy_step(whole), scored=_int32(*scored))

    for step in (whole, part):
        layers.run(step, 0, TEXT.layers - 1)
    assert torch.equal(part.hidden, whole.hidden)
    for step in (whole, part):
        layers.run(step, TEXT.layers - 1, TEXT.layers)

    assert torch.equal(part.hidden[list(scored)], whole.hidden[list(scored)])
    assert torch.equal(part.cache.view(torch.uint8), whole.cache.view(torch.uint8))
    others = [row for row in range(len(whole.hidden)) if row not in scored]
    assert not torch.equal(part.hidden[others], whole.hidden[others])


def test_calls_from_several_threads_are_served_one_after_the_other(native: NativeKernels) -> None:
    matrix, x = native.pack(random(200, 96, seed=0), Quantization.INT8), random(9, 96, seed=1)
    expected = native.linear(x, matrix)
    results: list[Tensor] = []

    def call() -> None:
        results.extend(native.linear(x, matrix) for _ in range(20))

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(timeout=60)

    assert len(results) == 60
    assert all(torch.equal(result, expected) for result in results)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_child_of_a_fork_computes_alone(native: NativeKernels) -> None:
    matrix, x = native.pack(random(200, 96, seed=0), Quantization.INT8), random(9, 96, seed=1)
    expected = native.linear(x, matrix)

    child = os.fork()
    if child == 0:
        os._exit(0 if torch.equal(native.linear(x, matrix), expected) else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_exponential_is_right_to_a_millionth(native: NativeKernels) -> None:
    x = torch.linspace(-87, 88, 10_001)

    found = native.exp(x).double()

    assert float((found / x.double().exp() - 1).abs().max()) < 1e-6


def test_exponential_at_the_edges(native: NativeKernels) -> None:
    found = native.exp(torch.tensor([-torch.inf, -200.0, 0.0, torch.nan]))

    assert found[:3].tolist() == [0.0, 0.0, 1.0]
    assert found[3].isnan()


def test_probes_measure_something(native: NativeKernels) -> None:
    assert native.measure_peak() > 0
    assert native.measure_streaming(torch.zeros(1 << 20, dtype=torch.uint8)) > 0


def test_layers_are_freed_with_their_owner(native: NativeKernels) -> None:
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))
    gone = weakref.ref(layers)

    del layers
    gc.collect()

    assert gone() is None


@pytest.mark.parametrize("quantization", EVERY)
def test_inputs_must_be_whole_groups(native: NativeKernels, quantization: Quantization) -> None:
    with pytest.raises(ValueError, match="multiple of 32 inputs, got 4, 40"):
        native.pack(random(4, 40, seed=0), quantization)


def test_source_of_another_type_is_refused(native: NativeKernels) -> None:
    with pytest.raises(ValueError, match="float64"):
        native.pack(random(4, 32, seed=0).double(), Quantization.INT8)


def test_memory_of_another_size_is_refused(native: NativeKernels) -> None:
    size = native.packed_bytes(4, 32, Quantization.INT8)
    with pytest.raises(ValueError, match=rf"out to be \({size},\)"):
        native.pack(random(4, 32, seed=0), Quantization.INT8, torch.zeros(3, dtype=torch.uint8))


@pytest.mark.parametrize("rows", [[-1], [0, 4]], ids=["negative", "behind the last"])
def test_row_that_does_not_exist_is_refused(native: NativeKernels, rows: list[int]) -> None:
    matrix = native.pack(random(4, 32, seed=0), Quantization.INT8)

    with pytest.raises(IndexError, match="from 0 to 3"):
        native.unpack_rows(matrix, torch.tensor(rows))


def test_no_rows_give_no_rows(native: NativeKernels) -> None:
    matrix = native.pack(random(4, 32, seed=0), Quantization.INT8)

    assert native.unpack_rows(matrix, torch.empty(0, dtype=torch.int64)).shape == (0, 32)
    assert native.linear(torch.empty(0, 32), matrix).shape == (0, 4)


def test_foreign_matrix_is_refused(native: NativeKernels) -> None:
    matrix = native.pack(random(4, 32, seed=0), Quantization.INT8)
    foreign = PackedMatrix("portable-int8-v1", Quantization.INT8, 4, 32, matrix.data)

    with pytest.raises(ValueError, match="got portable-int8-v1"):
        native.linear(random(1, 32, seed=1), foreign)


@pytest.mark.parametrize(
    "x", [random(2, 64, seed=1), random(32, 2, seed=1).T], ids=["width", "strides"]
)
def test_activations_of_another_shape_are_refused(native: NativeKernels, x: Tensor) -> None:
    matrix = native.pack(random(4, 32, seed=0), Quantization.INT8)

    with pytest.raises(ValueError, match="expected x to be"):
        native.linear(x, matrix)


def test_less_than_one_thread_is_refused(native: NativeKernels) -> None:
    with pytest.raises(ValueError, match="at least 1 thread, got 0"):
        native.set_threads(0)


def test_weight_of_another_shape_is_refused(native: NativeKernels) -> None:
    layers = make_text_layers(native, Quantization.INT8)
    wrong = replace(layers[1], down=layers[1].o)

    with pytest.raises(ValueError, match=r"down to have \(64, 96\)"):
        native.text_layers(TEXT, [layers[0], wrong])


def _int32(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": torch.zeros(3, 32)}, "hidden"),
        ({"cos": torch.zeros(4, 32)}, "cos"),
        ({"row_starts": _int32(0, 4)}, "row_starts from 0 to 3"),
        ({"row_starts": _int32(0, 2, 1, 3)}, "ascending"),
        ({"first_index": _int32(0, 0)}, "first_index"),
        ({"first_index": _int32(-1)}, "first index -1"),
        ({"first_index": _int32(30)}, "3 pages below 1"),
        ({"page_tables": _int32(-1).view(1, 1)}, "1 pages below 1"),
        ({"page_tables": _int32(1).view(1, 1)}, "1 pages below 1"),
        ({"cache": torch.zeros(3, 1, 2, 2, 16, 32).double()}, "cache"),
        ({"cache": torch.zeros(2, 1, 2, 2, 16, 32)}, "cache"),
        ({"cache": torch.zeros(3, 1, 2, 2, 16, 32).char()}, "cache"),
        ({"deep": torch.zeros(1, 1, 64), "deep_rows": _int32(3)}, "deep_rows below 3"),
        ({"deep": torch.zeros(1, 2, 64), "deep_rows": _int32(1)}, "deep"),
        ({"scored": _int32(3)}, "scored rows below 3"),
        ({"scored": _int32(-1)}, "scored rows below 3"),
        ({"scored": _int32(1, 0)}, "ascending"),
        ({"scored": _int32(1, 1)}, "each once"),
        ({"scored": torch.tensor([1])}, "scored"),
    ],
)
def test_step_of_another_shape_is_refused(
    native: NativeKernels, changes: dict[str, Any], message: str
) -> None:
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))
    step: TextStep = replace(make_step([Span(0, 3)]), **changes)

    with pytest.raises(ValueError, match=message):
        layers.run(step, 0, TEXT.layers)


@pytest.mark.parametrize(("first", "last"), [(-1, 1), (2, 1), (0, 4)])
def test_layers_that_do_not_exist_are_refused(native: NativeKernels, first: int, last: int) -> None:
    layers = native.text_layers(TEXT, make_text_layers(native, Quantization.INT8))

    with pytest.raises(ValueError, match="within 0 to 3"):
        layers.run(make_step([Span(0, 3)]), first, last)


@pytest.mark.parametrize("bounds", [[1, 4], [0, 3], [0, 3, 2, 4], []])
def test_bounds_that_are_not_all_patches_are_refused(
    native: NativeKernels, bounds: list[int]
) -> None:
    tower = native.vision_layers(VISION, make_vision_layers(native, Quantization.INT8))
    angles = torch.zeros(4, VISION.head_dim)

    with pytest.raises(ValueError, match="bounds from 0 to 4"):
        tower.run(torch.zeros(4, VISION.hidden), angles, angles, _int32(*bounds), 0, 1)
