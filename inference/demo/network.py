"""The demo model's size, and a fast training pass through the very modules of transformers.

`vision_features` and `text_hidden` compute what Qwen3VLForConditionalGeneration computes, for a
batch of pictures that share one grid, without its per-picture loops and without its doubled
temporal patch (a still picture's two frames are equal, so their weights may be summed).
Letters: B pictures or conversations, P patches, N = P / 4 merged tokens, T tokens, D and H widths.
Source: transformers.models.qwen3_vl.modeling_qwen3_vl, release 5.24.0.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from inference.backends.torchvision_shim import ensure_torchvision

ensure_torchvision()  # before transformers meets torchvision

# isort: split
from transformers import (  # noqa: E402
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)
from transformers.vision_utils import (  # noqa: E402
    get_vision_interpolation_indices_and_weights,
    get_vision_position_ids,
)

__all__ = [
    "GridPlan",
    "Qwen2VLImageProcessor",
    "Qwen3VLConfig",
    "Qwen3VLForConditionalGeneration",
    "Qwen3VLProcessor",
    "Qwen3VLVideoProcessor",
    "build_network",
    "demo_config",
    "patchify",
    "text_hidden",
    "vision_features",
]

PATCH_PX: Final = 16
MERGE: Final = 2
TEXT_WIDTH: Final = 192
VISION_WIDTH: Final = 160
MAX_TOKENS: Final = 4096


def demo_config(vocabulary: dict[str, int], vocab_size: int) -> Qwen3VLConfig:
    """Give configuration of the demo model; `vocabulary` maps the special tokens to their ids."""
    return Qwen3VLConfig(
        text_config={
            "vocab_size": vocab_size,
            "hidden_size": TEXT_WIDTH,
            "intermediate_size": 3 * TEXT_WIDTH,
            "num_hidden_layers": 4,
            "num_attention_heads": 6,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "max_position_embeddings": MAX_TOKENS,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
            "tie_word_embeddings": True,
            "pad_token_id": vocabulary["<|endoftext|>"],
        },
        vision_config={
            "depth": 4,
            "hidden_size": VISION_WIDTH,
            "intermediate_size": 3 * VISION_WIDTH,
            "num_heads": 5,
            "out_hidden_size": TEXT_WIDTH,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [1, 3],
            "patch_size": PATCH_PX,
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_network(config: Qwen3VLConfig, seed: int) -> Qwen3VLForConditionalGeneration:
    """Give a float32 model with fresh weights; the deep-stack mergers start silent."""
    torch.manual_seed(seed)
    model: Qwen3VLForConditionalGeneration = Qwen3VLForConditionalGeneration(config)
    torch.nn.Module.float(model)
    visual: Any = model.model.visual
    with torch.no_grad():
        visual.patch_embed.proj.weight.normal_(0, 0.03)
        visual.pos_embed.weight.normal_(0, 0.1)
        embeddings: Any = model.get_input_embeddings()
        embeddings.weight.normal_(0, 0.06)
        for merger in visual.deepstack_merger_list:
            merger.linear_fc2.weight.zero_()
            merger.linear_fc2.bias.zero_()
    return model


def patchify(image: Image.Image) -> NDArray[np.uint8]:
    """Patches of an RGB picture in merge-block order: (P, 3 * 16 * 16), one frame, raw bytes."""
    pixels = np.asarray(image)
    rows, columns = pixels.shape[0] // 32, pixels.shape[1] // 32
    blocks = pixels.reshape(rows, MERGE, PATCH_PX, columns, MERGE, PATCH_PX, 3)
    return blocks.transpose(0, 3, 1, 4, 6, 2, 5).reshape(rows * columns * 4, -1)


class GridPlan:
    """Everything about a grid that does not depend on weights: positions and rotations."""

    def __init__(self, size: tuple[int, int], visual: Any) -> None:
        """Work out positions for pictures of `size` (width, height) pixels."""
        rows, columns = size[1] // PATCH_PX, size[0] // PATCH_PX
        grid = torch.tensor([[1, rows, columns]])
        self.indices, self.weights = get_vision_interpolation_indices_and_weights(
            grid,
            num_grid_per_side=visual.num_grid_per_side,
            mode=visual.interpolation_mode,
            align_corners=visual.interpolation_align_corners,
            spatial_merge_size=MERGE,
        )
        spots = get_vision_position_ids(grid, MERGE)
        cos, sin = visual.rotary_pos_emb(self.weights, spots)
        self.cos, self.sin = cos[None, None], sin[None, None]
        self.rows, self.columns = rows // MERGE, columns // MERGE


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def vision_features(visual: Any, patches: Tensor, plan: GridPlan) -> tuple[Tensor, list[Tensor]]:
    """Give merged tokens (B, N, H) and the deep-stack features, of patches (B, P, 768) in -1..1."""
    batch, count, _ = patches.shape
    proj = visual.patch_embed.proj
    x = F.linear(patches, proj.weight.sum(2).flatten(1), proj.bias)
    x = x + (visual.pos_embed(plan.indices) * plan.weights[..., None]).sum(1)
    deep = []
    for number, block in enumerate(visual.blocks):
        heads = block.attn.num_heads
        qkv = block.attn.qkv(block.norm1(x)).view(batch, count, 3, heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)  # each (B, heads, P, D / heads)
        q, k = _rotate(q, plan.cos, plan.sin), _rotate(k, plan.cos, plan.sin)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, count, -1)
        x = x + block.attn.proj(mixed)
        x = x + block.mlp(block.norm2(x))
        if number in visual.deepstack_visual_indexes:
            place = visual.deepstack_visual_indexes.index(number)
            deep.append(visual.deepstack_merger_list[place](x.reshape(batch * count, -1)))
    merged = visual.merger(x.reshape(batch * count, -1))
    return merged.view(batch, count // 4, -1), [d.view(batch, count // 4, -1) for d in deep]


def text_hidden(
    language: Any,
    embeds: Tensor,
    positions: Tensor,
    *,
    deep: tuple[Tensor, Sequence[Tensor]],
    wanted: Tensor,
    watch: Callable[[int, Tensor, Tensor], None] | None = None,
) -> Tensor:
    """Last hidden states (number wanted, H) at the `wanted` places of right-padded sequences.

    `positions` is (3, B, T); `deep` has the image tokens' places in the flattened (B * T), and the
    features (number of places, H) that are added there after the first layers. What the last
    layer would compute elsewhere than at `wanted` (also in B * T) is left out. `watch` is called
    with each layer's number, queries (B, heads, T, D) and keys (B, key heads, T, D).
    """
    spots, features = deep
    cos, sin = language.rotary_emb(embeds, positions)
    cos, sin = cos[:, None], sin[:, None]
    batch, length, width = embeds.shape
    x = embeds
    for number, layer in enumerate(language.layers):
        attention = layer.self_attn
        h = layer.input_layernorm(x)
        shape = (batch, length, -1, attention.head_dim)
        q = attention.q_norm(attention.q_proj(h).view(shape)).transpose(1, 2)
        k = attention.k_norm(attention.k_proj(h).view(shape)).transpose(1, 2)
        v = attention.v_proj(h).view(shape).transpose(1, 2)
        q, k = _rotate(q, cos, sin), _rotate(k, cos, sin)
        if watch is not None:
            watch(number, q, k)
        groups = attention.num_key_value_groups
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch * length, -1)
        x = x.reshape(-1, width)
        if number == len(language.layers) - 1:
            x, mixed = x[wanted], mixed[wanted]
        x = x + attention.o_proj(mixed)
        x = x + layer.mlp(layer.post_attention_layernorm(x))
        if number < len(features) and len(spots):
            x = x.index_add(0, spots, features[number])
        if number < len(language.layers) - 1:
            x = x.view(batch, length, width)
    hidden: Tensor = language.norm(x)
    return hidden
