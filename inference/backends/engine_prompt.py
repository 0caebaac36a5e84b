"""From the processor's tensors to the engine's prompt: token ids, cache keys, positions, pictures.

Letters: T tokens, P patches of all pictures.
"""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from inference.backends.vision_input import Inputs
from inference.engine.cache_keys import picture_keys
from inference.engine.rope import prompt_positions
from inference.engine.sequence import PlacedPicture, Prompt
from inference.engine.shape import ModelShape
from inference.engine.vision import PicturePatches


def make_prompt(inputs: Inputs, prompt_tokens: int, shape: ModelShape) -> Prompt:
    """Return the first `prompt_tokens` tokens of a batch of one as the engine takes them.

    Raises:
        ValueError: a picture without as many image tokens as it has.
    """
    token_ids = inputs["input_ids"][0, :prompt_tokens].tolist()
    patches = _split_pictures(inputs)
    merge = shape.vision.merge
    pictures, keys, done = [], list(token_ids), 0
    for picture in patches:
        first, count = token_ids.index(shape.image_token_id, done), picture.grid.tokens(merge)
        done = first + count
        digest = _digest(picture)
        keys[first:done] = picture_keys(digest, count)
        pictures.append(
            PlacedPicture(digest=digest, patches=picture, first_token=first, tokens=count)
        )
    positions = prompt_positions(
        token_ids,
        [picture.grid for picture in patches],
        image_token_id=shape.image_token_id,
        merge=merge,
    )
    return Prompt(
        token_ids=tuple(token_ids),
        keys=tuple(keys),
        positions=positions,
        pictures=tuple(pictures),
    )


def _split_pictures(inputs: Inputs) -> list[PicturePatches]:
    """Return each picture of `pixel_values` (P, inputs) by its row of `image_grid_thw`.

    Bytes with a `pixel_scale`, as our own processor gives them, stay bytes.
    """
    if "image_grid_thw" not in inputs:
        return []
    grids = inputs["image_grid_thw"].tolist()
    pixels: tuple[Tensor, ...] = torch.split(
        inputs["pixel_values"], [t * h * w for t, h, w in grids]
    )
    scale = inputs.get("pixel_scale")
    return [
        PicturePatches((part.float() if scale is None else part).contiguous(), rows, columns, scale)
        for part, (_, rows, columns) in zip(pixels, grids, strict=True)
    ]


def _digest(picture: PicturePatches) -> bytes:
    """Return 32 bytes that differ for pictures that look different to the model.

    Over the patches themselves and not over the file: whatever decides about them (budget, limits,
    rotation, the processor's release) is in them. 1 ms for a picture of 300 tokens in bytes.
    """
    seen = hashlib.sha256(f"{picture.rows}x{picture.columns}/".encode())
    if picture.scale is not None:
        seen.update(picture.scale.numpy().data)
    seen.update(picture.pixels.numpy().data)
    return seen.digest()
