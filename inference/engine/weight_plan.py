"""Which tensors of a checkpoint make which weights of the engine, and how each is stored.

A part is one matrix, packed, or one float32 tensor; its name is the path of its field in
`ModelWeights`, its sources are names on disk. Dimension letters as in the package.

Source: the modules of transformers.models.qwen3_vl.modeling_qwen3_vl, release 5.24.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

from inference.config import Quantization
from inference.engine.checkpoint import Source
from inference.engine.shape import ModelShape, TextShape, VisionShape

TEXT = "model.language_model."
VISION = "model.visual."


@dataclass(frozen=True, slots=True)
class Part:
    """A weight of the engine: its name, what it is joined from, and its form.

    `quantization` is None for what stays float32 as it is. The sources of a matrix are put below
    one another; those of more than two dimensions (a convolution) are flattened first.
    `has_uneven_inputs` as in `Kernels.pack`: a matrix behind an activation function.
    """

    name: str
    sources: tuple[Source, ...]
    quantization: Quantization | None = None
    has_uneven_inputs: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (outputs, inputs) of a matrix, or the shape of the only source."""
        first = self.sources[0].shape
        if self.quantization is None:
            return first
        return sum(source.shape[0] for source in self.sources), prod(first[1:])


def plan_weights(shape: ModelShape, quantization: Quantization) -> tuple[Part, ...]:
    """Return the parts of a model in the order in which they are packed and stored.

    The largest come first: while one is packed its source is in memory too, and then there is the
    least beside it.
    """
    return (
        *_ends(shape.text, quantization),
        *(
            part
            for layer in range(shape.text.layers)
            for part in _text_layer(shape.text, layer, quantization)
        ),
        *_tower_ends(shape.vision, quantization),
        *(
            part
            for layer in range(shape.vision.depth)
            for part in _vision_layer(shape.vision, layer, quantization)
        ),
    )


def end_quantization(quantization: Quantization) -> Quantization:
    """Return the form of the two tables of the vocabulary, embedding and output.

    int8 where all else is int4. On the demo model int4 in this table alone moves the logits by
    5.3 % (relative, in norm), more than any other kind of matrix does: `down` 3.7 %, the text's
    `qkv` 2.4 %, `gate_up` 2.0 %, the whole vision tower 2.3 %, patch embedding 0.8 %. All int4 is
    at 8.1 %, this rule at 6.0 %, all int8 at 0.6 %. `down` in int8 too gave 4.3 %, but a seventh
    more bytes for each token of the 2B shape.
    """
    return Quantization.INT8 if quantization is Quantization.INT4 else quantization


def _ends(text: TextShape, quantization: Quantization) -> Iterator[Part]:
    table = (text.vocabulary, text.hidden)
    form = end_quantization(quantization)
    yield Part("embedding", (Source(f"{TEXT}embed_tokens.weight", table),), form)
    if not text.is_tied:
        yield Part("lm_head", (Source("lm_head.weight", table),), form)
    yield Part("final_norm", (Source(f"{TEXT}norm.weight", (text.hidden,)),))


def _text_layer(text: TextShape, layer: int, quantization: Quantization) -> Iterator[Part]:
    block = _Block(f"text_layers.{layer}.", f"{TEXT}layers.{layer}.", quantization)
    hidden, inner, width = text.hidden, text.intermediate, text.head_dim
    queries, keys = text.heads * width, text.kv_heads * width
    yield block.tensor("input_norm", "input_layernorm.weight", hidden)
    yield block.matrix(
        "qkv",
        ("self_attn.q_proj.weight", queries),
        ("self_attn.k_proj.weight", keys),
        ("self_attn.v_proj.weight", keys),
        inputs=(hidden,),
    )
    yield block.tensor("q_norm", "self_attn.q_norm.weight", width)
    yield block.tensor("k_norm", "self_attn.k_norm.weight", width)
    yield block.matrix("o", ("self_attn.o_proj.weight", hidden), inputs=(queries,))
    yield block.tensor("post_norm", "post_attention_layernorm.weight", hidden)
    yield block.matrix(
        "gate_up",
        ("mlp.gate_proj.weight", inner),
        ("mlp.up_proj.weight", inner),
        inputs=(hidden,),
    )
    yield block.matrix(
        "down", ("mlp.down_proj.weight", hidden), inputs=(inner,), has_uneven_inputs=True
    )


def _tower_ends(vision: VisionShape, quantization: Quantization) -> Iterator[Part]:
    block = _Block("vision.", VISION, quantization)
    patch = (vision.channels, vision.temporal_patch, vision.patch_px, vision.patch_px)
    yield block.matrix("patch_embed", ("patch_embed.proj.weight", vision.hidden), inputs=patch)
    yield block.tensor("patch_bias", "patch_embed.proj.bias", vision.hidden)
    yield block.tensor("positions", "pos_embed.weight", vision.positions, vision.hidden)
    yield from _merger(vision, "merger", norm=vision.hidden, block=block)
    merged = vision.hidden * vision.merge**2
    for level in range(len(vision.deepstack)):
        yield from _merger(vision, f"deepstack.{level}", norm=merged, block=block)


def _merger(vision: VisionShape, name: str, *, norm: int, block: _Block) -> Iterator[Part]:
    """Yield one merger's parts; the deep ones normalise after the shuffle, so `norm` is wider."""
    merged = vision.hidden * vision.merge**2
    disk = name.replace("deepstack", "deepstack_merger_list")
    yield block.tensor(f"{name}.norm_weight", f"{disk}.norm.weight", norm)
    yield block.tensor(f"{name}.norm_bias", f"{disk}.norm.bias", norm)
    yield from block.linear(f"{name}.fc1", f"{disk}.linear_fc1", merged, merged)
    yield from block.linear(
        f"{name}.fc2",
        f"{disk}.linear_fc2",
        vision.out_hidden,
        merged,
        has_uneven_inputs=True,
    )


def _vision_layer(vision: VisionShape, layer: int, quantization: Quantization) -> Iterator[Part]:
    block = _Block(f"vision.layers.{layer}.", f"{VISION}blocks.{layer}.", quantization)
    hidden, inner = vision.hidden, vision.intermediate
    for norm in ("norm1", "norm2"):
        yield block.tensor(f"{norm}_weight", f"{norm}.weight", hidden)
        yield block.tensor(f"{norm}_bias", f"{norm}.bias", hidden)
    yield from block.linear("qkv", "attn.qkv", 3 * hidden, hidden)
    yield from block.linear("proj", "attn.proj", hidden, hidden)
    yield from block.linear("fc1", "mlp.linear_fc1", inner, hidden)
    yield from block.linear("fc2", "mlp.linear_fc2", hidden, inner, has_uneven_inputs=True)


@dataclass(frozen=True, slots=True)
class _Block:
    """The prefixes that the parts of one block share, here and on disk."""

    ours: str
    disk: str
    quantization: Quantization

    def tensor(self, name: str, source: str, *shape: int) -> Part:
        """Return a part that stays float32."""
        return Part(self.ours + name, (Source(self.disk + source, shape),))

    def matrix(
        self,
        name: str,
        *rows: tuple[str, int],
        inputs: Sequence[int],
        has_uneven_inputs: bool = False,
    ) -> Part:
        """Return a matrix joined from sources, each with so many outputs."""
        sources = tuple(Source(self.disk + source, (count, *inputs)) for source, count in rows)
        return Part(self.ours + name, sources, self.quantization, has_uneven_inputs)

    def linear(
        self,
        name: str,
        source: str,
        outputs: int,
        inputs: int,
        *,
        has_uneven_inputs: bool = False,
    ) -> Iterator[Part]:
        """Yield a matrix and its bias."""
        yield self.matrix(
            name,
            (f"{source}.weight", outputs),
            inputs=(inputs,),
            has_uneven_inputs=has_uneven_inputs,
        )
        yield self.tensor(f"{name}_bias", f"{source}.bias", outputs)
