"""The same weights twice: in transformers, the reference, and in the engine.

A reference has every parameter random, norms and biases too, so that nothing is trivially one or
nought; a prompt is made of random tokens and pictures of random pixels. Heads are 32 or 64 wide,
since native kernels take multiples of 32 only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.backends.torchvision_shim import ensure_torchvision
from inference.config import Quantization
from inference.engine.kernels.base import PAGE_TOKENS, Kernels
from inference.engine.kernels.cache_rows import cache_dtype, narrow
from inference.engine.rope import PatchGrid, PromptPositions, prompt_positions
from inference.engine.shape import ModelShape, read_shape
from inference.engine.text import FeatureSpan, SequenceRows, TextModel, TextPass
from inference.engine.vision import PictureFeatures, PicturePatches, VisionTower
from inference.engine.weights import ModelWeights, load_weights

PAGES = 40
IMAGE, VIDEO, START, END = 7, 8, 3, 4
FIRST_TEXT_TOKEN = 10

TIED: dict[str, Any] = {
    "tie_word_embeddings": True,
    "text": {
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "intermediate_size": 96,
        "vocab_size": 311,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 5_000_000.0,
            "mrope_interleaved": True,
            "mrope_section": [8, 4, 4],
        },
    },
    "vision": {
        "depth": 3,
        "hidden_size": 64,
        "num_heads": 2,
        "intermediate_size": 96,
        "out_hidden_size": 64,
        "patch_size": 16,
        "num_position_embeddings": 36,
        "deepstack_visual_indexes": [0, 2],
    },
}
UNTIED: dict[str, Any] = {
    "tie_word_embeddings": False,
    "text": {
        "hidden_size": 96,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "intermediate_size": 160,
        "vocab_size": 290,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 10_000.0,
            "mrope_interleaved": True,
            "mrope_section": [12, 10, 10],
        },
    },
    "vision": {
        "depth": 4,
        "hidden_size": 128,
        "num_heads": 2,
        "intermediate_size": 128,
        "out_hidden_size": 96,
        "patch_size": 8,
        "num_position_embeddings": 81,
        "deepstack_visual_indexes": [0, 1, 3],
    },
}


def write_reference(folder: Path, sizes: dict[str, Any], seed: int) -> Path:
    """Write a checkpoint in which all parameters are random."""
    model = _random_model(sizes, seed)
    model.save_pretrained(folder)
    return folder


def load_reference(folder: Path) -> Any:
    """Return transformers' model of a folder, in float32."""
    ensure_torchvision()
    from transformers import Qwen3VLForConditionalGeneration

    model = Qwen3VLForConditionalGeneration.from_pretrained(
        folder, dtype=torch.float32, local_files_only=True
    )
    return torch.nn.Module.eval(model)


def _random_model(sizes: dict[str, Any], seed: int) -> Any:
    ensure_torchvision()
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    config = Qwen3VLConfig(
        text_config={**sizes["text"], "attention_bias": False, "max_position_embeddings": 4096},
        vision_config={**sizes["vision"], "spatial_merge_size": 2, "temporal_patch_size": 2},
        image_token_id=IMAGE,
        video_token_id=VIDEO,
        vision_start_token_id=START,
        vision_end_token_id=END,
        tie_word_embeddings=sizes["tie_word_embeddings"],
    )
    model = Qwen3VLForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.empty_like(parameter).normal_(generator=generator)
            parameter.copy_(_spread(name, noise))
    return model


def _spread(name: str, noise: Tensor) -> Tensor:
    """Scale noise to what keeps activations near one, and logits far from nought."""
    if noise.dim() > 1:
        is_table = "embed_tokens" in name or "pos_embed" in name
        return noise if is_table else noise / noise[0].numel() ** 0.5
    return noise * 0.2 + (1.0 if "norm" in name and name.endswith("weight") else 0.0)


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids with the pictures among them."""

    token_ids: list[int]
    pictures: list[PicturePatches] = field(default_factory=list)

    @property
    def grids(self) -> list[PatchGrid]:
        return [picture.grid for picture in self.pictures]


class Prompts:
    """Draws prompts for a model."""

    def __init__(self, shape: ModelShape, seed: int = 0) -> None:
        self._shape = shape
        self._generator = torch.Generator().manual_seed(seed)

    def text(self, count: int) -> Prompt:
        ids = torch.randint(
            FIRST_TEXT_TOKEN, self._shape.text.vocabulary, (count,), generator=self._generator
        )
        return Prompt(ids.tolist())

    def picture(self, rows: int, columns: int) -> Prompt:
        shape = self._shape
        size = (rows * columns, shape.vision.patch_inputs)
        pixels = torch.empty(size).uniform_(-1, 1, generator=self._generator)
        tokens = PatchGrid(rows, columns).tokens(shape.vision.merge)
        ids = [
            shape.vision_start_token_id,
            *([shape.image_token_id] * tokens),
            shape.vision_end_token_id,
        ]
        return Prompt(ids, [PicturePatches(pixels, rows, columns)])

    def draw(self, *parts: int | tuple[int, int]) -> Prompt:
        """Return a prompt of so many text tokens, pictures of such grids, in order."""
        drawn = [
            self.text(part) if isinstance(part, int) else self.picture(*part) for part in parts
        ]
        return join(*drawn)


def join(*prompts: Prompt) -> Prompt:
    return Prompt(
        [i for prompt in prompts for i in prompt.token_ids],
        [picture for prompt in prompts for picture in prompt.pictures],
    )


def reference_inputs(shape: ModelShape, prompt: Prompt) -> dict[str, Tensor]:
    ids = torch.tensor([prompt.token_ids])
    inputs = {"input_ids": ids}
    if prompt.pictures:
        inputs["pixel_values"] = torch.cat([picture.pixels for picture in prompt.pictures])
        grids = [[1, grid.rows, grid.columns] for grid in prompt.grids]
        inputs["image_grid_thw"] = torch.tensor(grids)
        inputs["mm_token_type_ids"] = (ids == shape.image_token_id).int()
    return inputs


@torch.inference_mode()
def reference_logits(model: Any, shape: ModelShape, prompt: Prompt) -> Tensor:
    """Return the logits (T, vocabulary) of every token of a prompt."""
    model.model.rope_deltas = None  # left from the prompt before
    logits: Tensor = model(**reference_inputs(shape, prompt), use_cache=False).logits[0]
    return logits


class Engine:
    """Both networks over one cache, and the glue that a scheduler gives them."""

    def __init__(self, weights: ModelWeights, kernels: Kernels) -> None:
        self.weights = weights
        self.shape = weights.shape
        text = weights.shape.text
        # Pages that nobody wrote hold what no attention may ever meet.
        size = (text.layers, PAGES, 2, text.kv_heads, PAGE_TOKENS, text.head_dim)
        self.cache = narrow(torch.full(size, torch.nan), cache_dtype(weights.quantization))
        self.vision = VisionTower(weights, kernels)
        self.text = TextModel(weights, kernels, self.cache)
        self._free = torch.randperm(PAGES, generator=torch.Generator().manual_seed(1)).tolist()

    def begin(self, prompt: Prompt) -> Conversation:
        return Conversation(self, prompt)

    def take_pages(self, count: int) -> list[int]:
        return [self._free.pop() for _ in range(count)]

    def run(self, *rows: SequenceRows) -> TextPass:
        text_pass = self.text.start(rows)
        text_pass.step()
        return text_pass

    @torch.inference_mode()
    def logits(self, prompt: Prompt, chunk: int | None = None) -> Tensor:
        """Return the logits (T, vocabulary) of every token, computed `chunk` tokens at a time."""
        sequence = self.begin(prompt)
        rows = list(sequence.chunks(chunk or len(prompt.token_ids)))
        return torch.cat([self.all_logits(self.run(part)) for part in rows])

    @staticmethod
    def all_logits(text_pass: TextPass) -> Tensor:
        return text_pass.logits(range(text_pass.row_starts[-1]))


class Conversation:
    """One conversation: its tokens, positions, pages and picture features."""

    def __init__(self, engine: Engine, prompt: Prompt) -> None:
        self._engine = engine
        self._ids: list[int] = []
        self._pages: list[int] = []
        self._positions: list[Tensor] = []
        self._places: list[tuple[int, PictureFeatures]] = []
        self._next_position = 0
        self.done = 0
        self.append(prompt)

    def append(self, prompt: Prompt) -> None:
        """Continue with more tokens and pictures, positions from where it ended."""
        positions = self._place(prompt)
        self._positions.append(positions.values)
        self._next_position = positions.next_position
        cursor = 0
        if prompt.pictures:
            for features in self._engine.vision.encode(prompt.pictures):
                cursor = prompt.token_ids.index(self._engine.shape.image_token_id, cursor)
                self._places.append((len(self._ids) + cursor, features))
                cursor += len(features.tokens)
        self._ids += prompt.token_ids
        missing = -(-len(self._ids) // PAGE_TOKENS) - len(self._pages)
        self._pages += self._engine.take_pages(missing)

    def rows(self, count: int) -> SequenceRows:
        """Return the next `count` rows, or those that are left."""
        first, last = self.done, min(self.done + count, len(self._ids))
        self.done = last
        spans = []
        for place, features in self._places:
            begin, end = max(place, first), min(place + len(features.tokens), last)
            if begin < end:
                spans.append(
                    FeatureSpan(
                        features=features,
                        first_row=begin - first,
                        first_token=begin - place,
                        count=end - begin,
                    )
                )
        return SequenceRows(
            token_ids=self._ids[first:last],
            positions=torch.cat(self._positions, dim=1)[:, first:last],
            first_index=first,
            pages=self._pages,
            features=spans,
        )

    def chunks(self, size: int) -> Sequence[SequenceRows]:
        return [self.rows(size) for _ in range(self.done, len(self._ids), size)]

    def _place(self, prompt: Prompt) -> PromptPositions:
        shape = self._engine.shape
        return prompt_positions(
            prompt.token_ids,
            prompt.grids,
            image_token_id=shape.image_token_id,
            merge=shape.vision.merge,
            first_position=self._next_position,
        )


def load_engine(folder: Path, kernels: Kernels, quantization: Quantization) -> Engine:
    """Return the engine's side of a checkpoint."""
    shape = read_shape(folder)
    return Engine(load_weights(folder, shape, kernels, quantization), kernels)
