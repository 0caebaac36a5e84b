"""From a request to the tensors that a vision-language model takes, by the model's own processor.

Qwen-VL models take the vision input as their authors do, through qwen_vl_utils; all others through
the processor's chat template alone, with each picture scaled down to the budget before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from inference.errors import ErrorCode, InferenceError
from inference.images import (
    QWEN3_VL_LIMITS,
    ImageLimits,
    decode_image,
    smart_resize,
)
from inference.prompt import (
    ControlTokens,
    TemplateMessage,
    build_template_messages,
    count_images,
    fit_context,
)
from inference.requests import ChatMessage, GenerationRequest, ImagePart, PixelBudget

if TYPE_CHECKING:
    from PIL import Image

# Role marks, line ends and 'Picture N: ' around a message's text and each of its pictures, rounded
# up.
MESSAGE_OVERHEAD_TOKENS = 8
IMAGE_OVERHEAD_TOKENS = 8

Inputs = dict[str, torch.Tensor]


class VisionInput:
    """Builds the model inputs of requests; one for each loaded model, used by all its slots."""

    def __init__(self, processor: Any, *, model_type: str, context_tokens: int) -> None:
        """Use the model's processor; prompt and answer together may take `context_tokens`."""
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._context_tokens = context_tokens
        self._is_qwen = model_type.startswith("qwen")
        self.limits = read_limits(processor.image_processor) if self._is_qwen else QWEN3_VL_LIMITS
        self._control_tokens = ControlTokens(list_control_tokens(self._tokenizer))

    def build(self, request: GenerationRequest, max_tokens: int) -> Inputs:
        """Return the tensors of a batch of one, the request's prefix already behind the prompt.

        `max_tokens` is the room that the answer needs in the context.

        Raises:
            InferenceError: `context_too_long`, `image_unreadable`, `image_too_large`.
        """
        # At least half of the context stays for the question, however long an answer was asked for.
        budget = self._context_tokens - min(max_tokens, self._context_tokens // 2)
        pictures = _Pictures(request.pixels, self.limits)
        kept = fit_context(request.messages, lambda m: self._count_tokens(m, pictures), budget)
        messages = build_template_messages(kept, self._control_tokens, pictures.entry)
        make = self._by_qwen_utils if self._is_qwen else self._by_processor
        inputs = make(messages, add_vision_id=count_images(kept) > 1)
        if inputs["input_ids"].shape[1] + len(request.prefix_token_ids) >= self._context_tokens:
            raise InferenceError(
                ErrorCode.CONTEXT_TOO_LONG, "This conversation is too long for the model."
            )
        return append_tokens(inputs, request.prefix_token_ids)

    def _by_qwen_utils(self, messages: list[TemplateMessage], *, add_vision_id: bool) -> Inputs:
        text = self._processor.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, add_vision_id=add_vision_id
        )
        # Imports torchvision, which the loading of the model has made importable.
        from qwen_vl_utils import process_vision_info

        images, _ = process_vision_info(messages, image_patch_size=self.limits.patch_px)
        made = self._processor(text=[text], images=images, do_resize=False, return_tensors="pt")
        return dict(made)

    def _by_processor(self, messages: list[TemplateMessage], *, add_vision_id: bool) -> Inputs:
        made = self._processor.apply_chat_template(
            messages,
            tokenize=True,
            add_generation_prompt=True,
            add_vision_id=add_vision_id,
            return_dict=True,
            return_tensors="pt",
        )
        return dict(made)

    def _count_tokens(self, message: ChatMessage, pictures: _Pictures) -> int:
        text = self._control_tokens.neutralise(message.text)
        text_tokens = len(self._tokenizer(text, add_special_tokens=False)["input_ids"])
        image_tokens = sum(pictures.cost(part) + IMAGE_OVERHEAD_TOKENS for part in message.images)
        return text_tokens + image_tokens + MESSAGE_OVERHEAD_TOKENS


class _Pictures:
    """The pictures of one request, each decoded once and kept at the size that the model sees."""

    def __init__(self, pixels: PixelBudget, limits: ImageLimits) -> None:
        self._limits = limits.within(pixels)
        self._prepared: dict[str, Image.Image] = {}

    def cost(self, part: ImagePart) -> int:
        picture = self._prepare(part)
        return (picture.width * picture.height) // self._limits.token_px**2

    def entry(self, part: ImagePart) -> Mapping[str, object]:
        """Return the picture's entry for the chat template; its size is final."""
        picture = self._prepare(part)
        return {
            "type": "image",
            "image": picture,
            "resized_width": picture.width,
            "resized_height": picture.height,
        }

    def _prepare(self, part: ImagePart) -> Image.Image:
        if part.sha256 not in self._prepared:
            # A photograph takes 36 MB decoded, a conversation has many: the small one stays.
            full = decode_image(part.data)
            self._prepared[part.sha256] = full.resize(
                smart_resize(full.width, full.height, self._limits)
            )
        return self._prepared[part.sha256]


def read_limits(image_processor: Any) -> ImageLimits:
    """Return the limits that stand in a Qwen-VL image processor.

    Source: preprocessor_config.json.
    """
    size = dict(image_processor.size)
    return ImageLimits(
        patch_px=int(image_processor.patch_size),
        merge=int(image_processor.merge_size),
        min_pixels=int(size.get("shortest_edge") or QWEN3_VL_LIMITS.min_pixels),
        max_pixels=int(size.get("longest_edge") or QWEN3_VL_LIMITS.max_pixels),
    )


def list_control_tokens(tokenizer: Any) -> set[str]:  # no common type
    """Return every added or special token of a tokenizer.

    These are all that it finds in text before its ordinary vocabulary.
    """
    return {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}


def append_tokens(inputs: Inputs, token_ids: Sequence[int]) -> Inputs:
    """Return the inputs with plain text tokens behind the prompt.

    They are added to each tensor that goes along with `input_ids`.
    """
    if not token_ids:
        return inputs
    length = inputs["input_ids"].shape[1]
    added = {"input_ids": torch.tensor([list(token_ids)])}
    longer = dict(inputs)
    for name, tensor in inputs.items():
        if tensor.dim() != 2 or tensor.shape != (1, length) or tensor.is_floating_point():  # noqa: PLR2004  # (batch, tokens)
            continue
        # A mask lets the new tokens be seen; a type says 0: text.
        fill = torch.full((1, len(token_ids)), int(name.endswith("mask")))
        longer[name] = torch.cat([tensor, added.get(name, fill).to(tensor.dtype)], dim=1)
    return longer
