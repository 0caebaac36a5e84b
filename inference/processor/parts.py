"""All that a checkpoint's processor is made of, read from its files."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference.processor.errors import UnsupportedProcessorError
from inference.processor.picture_recipe import PictureRecipe, read_picture_recipe
from inference.processor.template import ChatTemplate, load_chat_template
from inference.processor.text_codec import TextCodec, load_text_codec

logger = logging.getLogger(__name__)

IMAGE_TOKEN: Final = "<|image_pad|>"  # noqa: S105  # not a password


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorParts:
    """How text, conversations and pictures are prepared; `image_token_id` stands for a picture."""

    codec: TextCodec
    template: ChatTemplate
    recipe: PictureRecipe
    image_token_id: int


def find_parts(folder: Path) -> ProcessorParts | None:
    """Return the parts, or None where transformers must prepare prompts; the log says why.

    Takes 0.6 s for Qwen's tokenizer.

    Raises:
        InferenceError: `model_unavailable`, a file is missing or broken.
    """
    try:
        return read_parts(folder)
    except UnsupportedProcessorError as error:
        logger.info(
            "transformers prepares what %s reads, which takes seconds: %s.", folder.name, error
        )
        return None


def read_parts(folder: Path) -> ProcessorParts:
    """Return the parts.

    Raises:
        UnsupportedProcessorError: the files ask for something that only transformers can do.
        InferenceError: `model_unavailable`, a file is missing or broken.
    """
    # The quick ones first: a refusal need not wait for the tokenizer.
    recipe, template = read_picture_recipe(folder), load_chat_template(folder)
    codec = load_text_codec(folder)
    image_token_id = codec.find_id(IMAGE_TOKEN)
    if image_token_id is None:
        raise UnsupportedProcessorError(f"its tokenizer lacks {IMAGE_TOKEN}")
    return ProcessorParts(
        codec=codec, template=template, recipe=recipe, image_token_id=image_token_id
    )
