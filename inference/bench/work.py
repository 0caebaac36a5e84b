"""What the arithmetic needs at least: operations to the first word, bytes a token.

An addition and a multiplication are two operations. Norms, activations and the mean of other small
things are left out, as is the last product of a prompt, which is one row.
Letters: T text tokens, P patches, N outputs and K inputs of a product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from inference.engine.shape import ModelShape, TextShape, VisionShape


def count_vision_operations(shape: VisionShape, image_tokens: int) -> int:
    """Return the operations of the vision tower for a picture of so many tokens."""
    group = shape.merge**2
    patches = image_tokens * group
    layer = (
        4 * shape.hidden**2  # query, key, value and output
        + 2 * shape.hidden * shape.intermediate
    )
    attention = 2 * patches * shape.hidden  # scores and sums over all patches
    merged = group * shape.hidden
    merger = merged * merged + merged * shape.out_hidden
    mergers = 1 + len(shape.deepstack)
    return 2 * (
        patches * shape.hidden * shape.patch_inputs
        + patches * shape.depth * (layer + attention)
        + image_tokens * mergers * merger
    )


def count_text_operations(shape: TextShape, tokens: int) -> int:
    """Return the operations of the language model that reads so many tokens."""
    products = sum(outputs * inputs for outputs, inputs in _layer_products(shape))
    attention = tokens * shape.heads * shape.head_dim  # a token sees half of the others, twice
    return 2 * tokens * shape.layers * (products + attention)


def count_token_bytes(shape: ModelShape, read_bytes: Callable[[int, int], int]) -> int:
    """Return the bytes of weights that one more token reads; `read_bytes` is of (N, K)."""
    text = shape.text
    layer = sum(read_bytes(outputs, inputs) for outputs, inputs in _layer_products(text))
    return text.layers * layer + read_bytes(text.vocabulary, text.hidden)


def _layer_products(shape: TextShape) -> Iterator[tuple[int, int]]:
    """Yield N and K of the products of one layer."""
    attention, cached = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    yield attention, shape.hidden
    yield cached, shape.hidden
    yield cached, shape.hidden
    yield shape.hidden, attention
    yield shape.intermediate, shape.hidden
    yield shape.intermediate, shape.hidden
    yield shape.hidden, shape.intermediate
