"""transformers' processors in the form that `vision_input` takes: for every model but the engine's.

Qwen-VL models take pictures as their authors do, through qwen_vl_utils; all others through the
processor's chat template alone, with each picture scaled down to the budget before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.backends.torchvision_shim import ensure_torchvision
from inference.backends.vision_input import Inputs
from inference.images import QWEN3_VL_LIMITS, ImageLimits
from inference.prompt import TemplateMessage

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def load_transformers_processor(folder: Path, *, model_type: str) -> TransformersProcessor:
    """Load the processor in `folder`; never asks the network.

    Raises:
        InferenceError: `model_unavailable`, torchvision is missing.
        Exception: whatever transformers raises.
    """
    ensure_torchvision()
    # Seconds of import, and impossible before torchvision is.
    from transformers import AutoProcessor

    load: Any = AutoProcessor.from_pretrained  # untyped in the library
    return TransformersProcessor(load(folder, local_files_only=True), model_type=model_type)


class TransformersProcessor:
    """Does what `vision_input.Processor` says; used by all slots at once."""

    def __init__(self, processor: Any, *, model_type: str) -> None:  # no common type
        """Wrap a processor of transformers."""
        self._processor = processor
        self._tokenizer = processor.tokenizer
        self._is_qwen = model_type.startswith("qwen")
        self.limits = read_limits(processor.image_processor) if self._is_qwen else QWEN3_VL_LIMITS
        self.control_tokens = list_control_tokens(self._tokenizer)

    @property
    def tokenizer(self) -> Tokenizer | None:
        """Return its tokenizer, to read; None if it is not of the tokenizers library."""
        tokenizer: Tokenizer | None = getattr(self._tokenizer, "backend_tokenizer", None)
        return tokenizer

    @property
    def eos_token_id(self) -> int | None:
        """Return the token that ends an answer, if the tokenizer names one."""
        token_id: int | None = self._tokenizer.eos_token_id
        return token_id

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a text alone."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of some tokens, without control tokens."""
        text = self._tokenizer.decode(
            list(token_ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return str(text)

    def make_inputs(self, messages: list[TemplateMessage], *, add_vision_id: bool) -> Inputs:
        """Return the tensors of a batch of one, whatever the model takes."""
        make = self._by_qwen_utils if self._is_qwen else self._by_processor
        return make(messages, add_vision_id=add_vision_id)

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


def list_control_tokens(tokenizer: Any) -> frozenset[str]:  # no common type
    """Return every added or special token of a tokenizer.

    These are all that it finds in text before its ordinary vocabulary.
    """
    return frozenset((*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens))
