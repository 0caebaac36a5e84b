"""Write the demo model as a folder that the stock AutoProcessor and AutoModel load."""

import hashlib
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from transformers import GenerationConfig, PreTrainedTokenizerFast

from inference.demo.network import (
    MAX_TOKENS,
    MERGE,
    PATCH_PX,
    Qwen2VLImageProcessor,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

TEMPLATE: Final = Path(__file__).with_name("chat_template.jinja")
BUDGET_PX: Final = 128 * 128
LEAST_PX: Final = 128 * 96
"""Pixels that any picture is resized to, nearly: about sixteen image tokens."""


def build_processor(tokenizer: PreTrainedTokenizerFast) -> Qwen3VLProcessor:
    """Give the stock processor with the demo model's small picture budget and our chat template."""
    pixels: dict[str, Any] = {
        "patch_size": PATCH_PX,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
        "size": {"shortest_edge": LEAST_PX, "longest_edge": BUDGET_PX},
    }
    return Qwen3VLProcessor(  # type: ignore[no-untyped-call]
        image_processor=Qwen2VLImageProcessor(**pixels),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(**pixels),
        chat_template=TEMPLATE.read_text(),
    )


def export(
    model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path
) -> None:
    """Save float16 weights, configuration, tokenizer, processor settings and chat template.

    The model itself is left in float32 with its values rounded as they are saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.model_max_length = MAX_TOKENS
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    torch.nn.Module.to(model, torch.float16)
    model.save_pretrained(folder)
    torch.nn.Module.float(model)
    for place in ("is_local", "local_files_only"):  # how it was loaded is no one's business
        tokenizer.init_kwargs.pop(place, None)
    processor = build_processor(tokenizer)
    processor.save_pretrained(folder)
    processor.image_processor.save_pretrained(folder)
    processor.video_processor.save_pretrained(folder)
    shutil.copyfile(TEMPLATE, folder / "chat_template.jinja")


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weights file, in hexadecimal."""
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
