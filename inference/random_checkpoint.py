"""Writes checkpoints of the true Qwen3-VL architecture with random weights, of any size.

    python -m inference.random_checkpoint FOLDER --tokenizer FOLDER_WITH_TOKENIZER_JSON

writes the shape of Qwen3-VL-2B-Instruct (4.3 GB in bf16), for measuring load time, memory and
speed where the real model is not at hand: the arithmetic is the same, only the words are nonsense.
The weights are drawn and written one file at a time, so 1 GB of memory is enough. Tests write a
tiny shape with a byte tokenizer.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from inference.backends.torchvision_shim import ensure_torchvision
from inference.chat_template import CHAT_TEMPLATE
from inference.model_folder import INDEX_FILE, WEIGHTS_FILE

WEIGHT_STD = 0.02
SHARD_BYTES = 800_000_000

# Qwen's special tokens in the order of their ids, behind the ordinary vocabulary.
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
# Added, but ordinary text to a decoder: they are shown.
VISIBLE_ADDED_TOKENS = ("<tool_call>", "</tool_call>", "<think>", "</think>")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointShape:
    """The numbers that make one Qwen3-VL differ from another.

    Source: the config.json of Qwen3-VL-2B-Instruct.
    """

    vocabulary: int = 151_936
    hidden: int = 2048
    layers: int = 28
    heads: int = 16
    kv_heads: int = 8
    head_dim: int = 128
    intermediate: int = 6144
    mrope_section: tuple[int, int, int] = (24, 20, 20)
    positions: int = 262_144
    vision_hidden: int = 1024
    vision_layers: int = 24
    vision_heads: int = 16
    vision_intermediate: int = 4096
    vision_grid: int = 2304
    deepstack: tuple[int, ...] = (5, 11, 17)
    min_pixels: int = 65_536
    max_pixels: int = 16_777_216
    dtype: str = "bfloat16"


QWEN3_VL_2B_SHAPE = CheckpointShape()
TINY_SHAPE = CheckpointShape(
    vocabulary=274,
    hidden=32,
    layers=3,
    heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate=64,
    mrope_section=(4, 2, 2),
    positions=4096,
    vision_hidden=32,
    vision_layers=3,
    vision_heads=2,
    vision_intermediate=64,
    vision_grid=64,
    deepstack=(0, 1),
    min_pixels=4096,
    max_pixels=65_536,
    dtype="float32",
)


def write_random_checkpoint(folder: Path, shape: CheckpointShape, *, seed: int = 0) -> None:
    """Write configuration and weights into a folder that already holds tokenizer.json."""
    ids = _read_token_ids(folder / "tokenizer.json")
    config = _model_config(shape, ids)
    _write_json(folder / "config.json", config)
    ends = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    _write_json(folder / "generation_config.json", {"eos_token_id": ends, "pad_token_id": ends[1]})
    _write_json(folder / "preprocessor_config.json", _image_config(shape))
    _write_json(folder / "video_preprocessor_config.json", _video_config(shape))
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    _write_weights(folder, config, shape, seed)


def write_byte_tokenizer(folder: Path) -> None:
    """Write a tokenizer whose tokens are single bytes, with Qwen's special tokens.

    Any text, any language.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t in SPECIAL_TOKENS])
    tokenizer.add_tokens(
        [AddedToken(t, special=False, normalized=False) for t in VISIBLE_ADDED_TOKENS]
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": "<|im_end|>",
            "pad_token": "<|endoftext|>",
            "clean_up_tokenization_spaces": False,
            "processor_class": "Qwen3VLProcessor",
        },
    )


def copy_tokenizer(source: Path, folder: Path) -> None:
    """Copy tokenizer.json and tokenizer_config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)


def _write_weights(
    folder: Path, config: Mapping[str, object], shape: CheckpointShape, seed: int
) -> None:
    """Draw the weights tensor by tensor and write them file by file."""
    dtype: torch.dtype = getattr(torch, shape.dtype)
    generator = torch.Generator().manual_seed(seed)
    shards = list(_plan_shards(_weight_shapes(config), dtype.itemsize))
    weight_map: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        name = WEIGHTS_FILE
        if len(shards) > 1:
            name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        tensors = {key: _draw(key, size, generator).to(dtype) for key, size in names.items()}
        save_file(tensors, folder / name, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(tensors, name))
    if len(shards) > 1:
        _write_json(folder / INDEX_FILE, {"metadata": {}, "weight_map": weight_map})


def _weight_shapes(config: Mapping[str, object]) -> dict[str, torch.Size]:
    """Return name and shape of each weight, from a model without memory.

    The tied output layer is left out.
    """
    ensure_torchvision()  # the model class cannot be imported otherwise
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    with torch.device("meta"):
        model = Qwen3VLForConditionalGeneration(Qwen3VLConfig.from_dict(dict(config)))
    state = model.state_dict()
    return {name: tensor.shape for name, tensor in state.items() if name != "lm_head.weight"}


def _plan_shards(
    shapes: Mapping[str, torch.Size], item_bytes: int
) -> Iterator[dict[str, torch.Size]]:
    shard: dict[str, torch.Size] = {}
    filled = 0
    for name, size in shapes.items():
        weight_bytes = size.numel() * item_bytes
        if shard and filled + weight_bytes > SHARD_BYTES:
            yield shard
            shard, filled = {}, 0
        shard[name] = size
        filled += weight_bytes
    yield shard


def _draw(name: str, size: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Return a weight as a fresh model would have it: norms one, biases zero, the rest normal."""
    if name.endswith("bias"):
        return torch.zeros(size)
    if len(size) == 1:
        return torch.ones(size)
    return torch.empty(size).normal_(0.0, WEIGHT_STD, generator=generator)


def _model_config(shape: CheckpointShape, ids: Mapping[str, int]) -> dict[str, object]:
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "model_type": "qwen3_vl",
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "tie_word_embeddings": True,
        "dtype": shape.dtype,
        "text_config": _text_config(shape, ids),
        "vision_config": _vision_config(shape),
    }


def _text_config(shape: CheckpointShape, ids: Mapping[str, int]) -> dict[str, object]:
    return {
        "model_type": "qwen3_vl_text",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.intermediate,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": shape.positions,
        "rope_theta": 5_000_000,
        "rope_scaling": {
            "rope_type": "default",
            "mrope_interleaved": True,
            "mrope_section": list(shape.mrope_section),
        },
        "attention_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "dtype": shape.dtype,
    }


def _vision_config(shape: CheckpointShape) -> dict[str, object]:
    return {
        "model_type": "qwen3_vl",
        "depth": shape.vision_layers,
        "hidden_size": shape.vision_hidden,
        "num_heads": shape.vision_heads,
        "intermediate_size": shape.vision_intermediate,
        "out_hidden_size": shape.hidden,
        "num_position_embeddings": shape.vision_grid,
        "deepstack_visual_indexes": list(shape.deepstack),
        "patch_size": 16,
        "temporal_patch_size": 2,
        "spatial_merge_size": 2,
        "in_channels": 3,
        "hidden_act": "gelu_pytorch_tanh",
    }


def _image_config(shape: CheckpointShape) -> dict[str, object]:
    return {
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": shape.min_pixels, "longest_edge": shape.max_pixels},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }


def _video_config(shape: CheckpointShape) -> dict[str, object]:
    return {
        **_image_config(shape),
        "video_processor_type": "Qwen3VLVideoProcessor",
        "size": {"shortest_edge": 4096, "longest_edge": 25_165_824},
    }


def _read_token_ids(path: Path) -> dict[str, int]:
    added = json.loads(path.read_text(encoding="utf-8"))["added_tokens"]
    return {token["content"]: int(token["id"]) for token in added}


def _write_json(path: Path, content: Mapping[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def main() -> None:
    """Write a checkpoint of the 2B shape, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m inference.random_checkpoint")
    parser.add_argument("folder", type=Path, help="where to write; made if missing")
    parser.add_argument(
        "--tokenizer", type=Path, required=True, help="a folder with the tokenizer.json of Qwen3"
    )
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    copy_tokenizer(arguments.tokenizer, arguments.folder)
    write_random_checkpoint(arguments.folder, QWEN3_VL_2B_SHAPE, seed=arguments.seed)


if __name__ == "__main__":
    main()
