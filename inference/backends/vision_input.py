"""From a request to the tensors that a vision-language model takes, by the model's own processor.

What fits into the context, what a person typed and how large pictures are is decided here; how
text becomes ids and pictures become patches is the processor's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import torch

from inference.backends.base import Emit
from inference.backends.prepared_pictures import PreparedPictures
from inference.errors import ErrorCode, InferenceError
from inference.images import ImageLimits
from inference.prompt import (
    ControlTokens,
    TemplateMessage,
    build_template_messages,
    count_images,
    fit_context,
)
from inference.requests import ChatMessage, GenerationRequest, ImagePart, TextDelta

if TYPE_CHECKING:
    from PIL import Image
    from tokenizers import Tokenizer

# Role marks, line ends and 'Picture N: ' around a message's text and each of its pictures, rounded
# up.
MESSAGE_OVERHEAD_TOKENS = 8
IMAGE_OVERHEAD_TOKENS = 8

Inputs = dict[str, torch.Tensor]


class Processor(Protocol):
    """A model's processor of text and pictures; several threads may use it at once."""

    @property
    def limits(self) -> ImageLimits:
        """Return how the model cuts pictures into tokens."""

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Return its tokenizer, to read; None if it is not of the tokenizers library."""

    @property
    def control_tokens(self) -> frozenset[str]:
        """Return every token that means something to the model beyond its letters."""

    @property
    def eos_token_id(self) -> int | None:
        """Return the token that ends an answer, if the tokenizer names one."""

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text alone."""

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of some tokens, without control tokens and nothing cleaned up."""

    def make_inputs(self, messages: list[TemplateMessage], *, add_vision_id: bool) -> Inputs:
        """Return the tensors of a batch of one; pictures have their final size."""


class VisionInput:
    """Builds the model inputs of requests; one for each loaded model, used by all its slots."""

    def __init__(self, processor: Processor, *, context_tokens: int) -> None:
        """Use the model's processor; prompt and answer together may take `context_tokens`."""
        self._processor = processor
        self.context_tokens = context_tokens
        self.limits = processor.limits
        self._control_tokens = ControlTokens(processor.control_tokens)
        self._prepared = PreparedPictures()

    def build(self, request: GenerationRequest, max_tokens: int) -> Inputs:
        """Return the tensors of a batch of one, the request's prefix already behind the prompt.

        `max_tokens` is the room that the answer needs in the context.

        Raises:
            InferenceError: `context_too_long`, `image_unreadable`, `image_too_large`.
        """
        # At least half of the context stays for the question, however long an answer was asked for.
        budget = self.context_tokens - min(max_tokens, self.context_tokens // 2)
        pictures = _Pictures(self._prepared, self.limits.within(request.pixels))
        kept = fit_context(request.messages, lambda m: self._count_tokens(m, pictures), budget)
        messages = build_template_messages(kept, self._control_tokens, pictures.entry)
        inputs = self._processor.make_inputs(messages, add_vision_id=count_images(kept) > 1)
        if inputs["input_ids"].shape[1] + len(request.prefix_token_ids) >= self.context_tokens:
            raise InferenceError(
                ErrorCode.CONTEXT_TOO_LONG, "This conversation is too long for the model."
            )
        return append_tokens(inputs, request.prefix_token_ids)

    def find_prefix(self, request: GenerationRequest, emit: Emit) -> GenerationRequest:
        """Return a request whose prefix is tokens, telling those that its text is made of."""
        if not request.prefix_text or request.prefix_token_ids:
            return request
        text = self._control_tokens.neutralise(request.prefix_text)
        token_ids = tuple(self._processor.encode(text))
        emit(TextDelta("", token_ids))
        return replace(request, prefix_text="", prefix_token_ids=token_ids, shown_chars=len(text))

    def build_smallest(self, request: GenerationRequest) -> Inputs:
        """Return the tensors of a request with its pictures as small as the processor makes them.

        Ours makes one token of each, transformers' no less than four.
        """
        area = self.limits.token_px**2
        pictures = _Pictures(self._prepared, replace(self.limits, min_pixels=area, max_pixels=area))
        messages = build_template_messages(request.messages, self._control_tokens, pictures.entry)
        return self._processor.make_inputs(messages, add_vision_id=False)

    def _count_tokens(self, message: ChatMessage, pictures: _Pictures) -> int:
        text_tokens = len(self._processor.encode(self._control_tokens.neutralise(message.text)))
        image_tokens = sum(pictures.cost(part) + IMAGE_OVERHEAD_TOKENS for part in message.images)
        return text_tokens + image_tokens + MESSAGE_OVERHEAD_TOKENS


class _Pictures:
    """The pictures of one request, at the size that the model sees; each is looked for once."""

    def __init__(self, prepared: PreparedPictures, limits: ImageLimits) -> None:
        self._prepared = prepared
        self._limits = limits
        self._of_request: dict[str, Image.Image] = {}

    def cost(self, part: ImagePart) -> int:
        picture = self._find(part)
        return (picture.width * picture.height) // self._limits.token_px**2

    def entry(self, part: ImagePart) -> Mapping[str, object]:
        """Return the picture's entry for the chat template; its size is final."""
        picture = self._find(part)
        return {
            "type": "image",
            "image": picture,
            "resized_width": picture.width,
            "resized_height": picture.height,
        }

    def _find(self, part: ImagePart) -> Image.Image:
        if part.sha256 not in self._of_request:
            self._of_request[part.sha256] = self._prepared.prepare(part.data, self._limits)
        return self._of_request[part.sha256]


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
