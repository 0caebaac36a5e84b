"""A vision-language model loaded by transformers, and one answer of it.

`generate` runs in the calling slot's thread; its hooks choose by position-seeded sampling, stream
each token, and stop within one token while decoding or one layer before that. No state outlives an
answer: every request prefills its whole conversation (`cached_tokens` is 0).
`torchvision_shim.ensure_torchvision` must have run before this module is imported.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic
from typing import Any

import torch
from transformers import (
    AutoModelForImageTextToText,
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteriaList,
)
from transformers.utils import logging as transformers_logging

from inference.backends.answer_tokens import AnswerTokens
from inference.backends.answer_writer import AnswerWriter
from inference.backends.base import Cancellation, Emit, ModelFiles, ReportProgress
from inference.backends.generate_hooks import ChosenTokenOnly, StopWhen, TokenStream
from inference.backends.layer_watch import AnswerStoppedError, LayerWatch, PrefillProgress
from inference.backends.number_format import are_wide_products_faster, choose_dtype
from inference.backends.processor_cores import count_physical_cores
from inference.backends.token_rules import list_eos_ids
from inference.backends.transformers_processor import load_transformers_processor
from inference.backends.vision_input import Inputs, Processor, VisionInput
from inference.backends.wide_products import widen_products
from inference.config import BackendName, InferenceConfig
from inference.errors import ErrorCode, InferenceError
from inference.images import ImageLimits
from inference.model_folder import read_json, weigh_model_folder
from inference.model_stats import ModelStats
from inference.requests import Finished, GenerationRequest, Usage
from inference.warm_up import make_warm_up_request

logger = logging.getLogger(__name__)

LOADING_BAR = "Loading weights"
# transformers keeps its progress hook in a global; two loads at once would report to each other.
_loading = threading.Lock()


def load_vision_language_model(
    files: ModelFiles, config: InferenceConfig, report: ReportProgress
) -> VisionLanguageModel:
    """Load processor and weights from `files.folder`, reporting how many weights are in place.

    Raises:
        InferenceError: `model_unavailable` if weights of the model are missing from its files.
    """
    folder = files.folder
    if folder is None:
        raise InferenceError(ErrorCode.MODEL_UNAVAILABLE, f"{files.name} has no folder.")
    threads = config.threads or count_physical_cores()
    torch.set_num_threads(threads)
    model_type = str(read_json(folder, "config.json").get("model_type"))
    processor = load_transformers_processor(folder, model_type=model_type)
    dtype = choose_dtype(config.dtype, weigh_model_folder(folder))
    with _loading:
        restore = transformers_logging.set_tqdm_hook(_make_bar_hook(report))
        try:
            # Untyped in the library: with output_loading_info it returns a pair.
            loaded: Any = AutoModelForImageTextToText.from_pretrained(
                folder, dtype=dtype, local_files_only=True, output_loading_info=True
            )
        finally:
            transformers_logging.set_tqdm_hook(restore)
    model, info = loaded
    # transformers fills missing weights with random numbers and only warns.
    missing = sorted(info["missing_keys"])
    if missing:
        raise InferenceError(
            ErrorCode.MODEL_UNAVAILABLE,
            f"The weight files of {files.name} lack {len(missing)} weights, such as {missing[0]}.",
        )
    model.eval().requires_grad_(requires_grad=False)
    if dtype is torch.bfloat16 and are_wide_products_faster():
        logger.info("%d layers read prompts and pictures in fp32.", widen_products(model))
    return VisionLanguageModel(model, processor, files=files, config=config, threads=threads)


class VisionLanguageModel:
    """Answers requests with one loaded model; see `backends.base.LoadedModel`."""

    def __init__(
        self,
        model: Any,  # any architecture
        processor: Processor,
        *,
        files: ModelFiles,
        config: InferenceConfig,
        threads: int,
    ) -> None:
        """Put hooks into the model's layers and read what its configuration says about tokens."""
        self._model = model
        self._files = files
        self._threads = threads
        self._max_tokens = config.max_tokens
        text_config = model.config.get_text_config()
        positions = int(getattr(text_config, "max_position_embeddings", config.context_tokens))
        self._input = VisionInput(
            processor,
            context_tokens=min(config.context_tokens, positions),
        )
        self._number_format = str(model.dtype).removeprefix("torch.")
        self._image_token_id = getattr(model.config, "image_token_id", None)
        self._eos_ids = list_eos_ids(model.generation_config.eos_token_id, processor.eos_token_id)
        self._tokens = AnswerTokens(
            processor, vocabulary=int(text_config.vocab_size), eos_ids=self._eos_ids
        )
        # Our own hooks choose the tokens; the checkpoint's sampling settings must not act a second
        # time.
        model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
            eos_token_id=sorted(self._eos_ids), pad_token_id=min(self._eos_ids)
        )
        self._watch = LayerWatch(model)

    @property
    def name(self) -> str:
        """Return the name that stands on every answer."""
        return self._files.name

    @property
    def demo(self) -> bool:
        """Say whether this is the bundled demo model."""
        return self._files.demo

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and answer may take together."""
        return self._input.context_tokens

    @property
    def image_limits(self) -> ImageLimits:
        """Return how this model cuts pictures into tokens."""
        return self._input.limits

    def warm_up(self) -> None:
        """Answer a question about a small picture."""
        request = make_warm_up_request(tokens=2)  # the second takes another way
        self.answer(request, emit=lambda event: None, cancellation=Cancellation())

    def answer(
        self, request: GenerationRequest, *, emit: Emit, cancellation: Cancellation
    ) -> Finished:
        """Answer one request in the calling thread; see `backends.base.LoadedModel.answer`."""
        began = monotonic()
        torch.set_num_threads(self._threads)  # holds for the calling thread only
        request = self._without_image_tokens(self._input.find_prefix(request, emit))
        max_tokens = self._max_tokens_of(request)
        inputs = self._input.build(request, max_tokens)
        progress = PrefillProgress(
            emit=emit, cancellation=cancellation, prompt_tokens=inputs["input_ids"].shape[1]
        )
        writer = self._tokens.begin(request, emit=emit, progress=progress)
        try:
            may_write = not (cancellation.is_set or writer.is_complete)
            if may_write and len(writer.answer_ids) < max_tokens:
                self._generate(request, inputs, writer=writer, cancellation=cancellation)
        except AnswerStoppedError:
            pass
        except RuntimeError as error:
            # What torch raises when the system refuses memory.
            if "allocate memory" in str(error):
                raise MemoryError from error
            raise
        return Finished(
            writer.end(is_cancelled=cancellation.is_set),
            self._count_usage(request, inputs, len(writer.answer_ids)),
            writer.timings(began),
            self.name,
            self.demo,
        )

    def live_stats(self) -> ModelStats:
        """Return backend and number format."""
        return ModelStats(backend=BackendName.TRANSFORMERS, number_format=self._number_format)

    def close(self) -> None:
        """Let go of the weights; the memory is free when the last reference is."""
        self._model = None

    def _max_tokens_of(self, request: GenerationRequest) -> int:
        """Return how long the answer may become; what was written before is not held against it."""
        most = self._max_tokens + len(request.prefix_token_ids)
        return min(request.options.max_tokens, most)

    def _without_image_tokens(self, request: GenerationRequest) -> GenerationRequest:
        """Leave out of the prefix what would stand for a picture: the model wrote it, as a word.

        transformers looks for a picture behind each such token, also where an answer goes on.
        """
        kept = tuple(i for i in request.prefix_token_ids if i != self._image_token_id)
        return replace(request, prefix_token_ids=kept)

    def _generate(
        self,
        request: GenerationRequest,
        inputs: Inputs,
        *,
        writer: AnswerWriter,
        cancellation: Cancellation,
    ) -> None:
        prompt_length = inputs["input_ids"].shape[1] - len(request.prefix_token_ids)
        stop = StopWhen(lambda: cancellation.is_set or writer.is_complete)
        max_tokens = self._max_tokens_of(request)
        with (
            self._tokens.constrain(request.options, writer.answer_ids) as constraint,
            torch.inference_mode(),
            self._watch.watching(writer.progress),
        ):
            chooser = ChosenTokenOnly(
                prompt_ids=inputs["input_ids"][0, :prompt_length].tolist(),
                answer_ids=writer.answer_ids,
                options=request.options,
                constraint=constraint,
            )
            self._model.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=max_tokens - len(writer.answer_ids),
                logits_processor=LogitsProcessorList([chooser]),
                stopping_criteria=StoppingCriteriaList([stop]),
                streamer=TokenStream(lambda _: writer.take(chooser.choice)),
            )

    def _count_usage(self, request: GenerationRequest, inputs: Inputs, answered: int) -> Usage:
        prompt = inputs["input_ids"][
            0, : inputs["input_ids"].shape[1] - len(request.prefix_token_ids)
        ]
        image_tokens = 0
        if self._image_token_id is not None:
            image_tokens = int((prompt == self._image_token_id).sum())
        return Usage(len(prompt), 0, image_tokens, answered)


def _make_bar_hook(report: ReportProgress) -> Any:  # the type is transformers' own
    """Return a hook that turns transformers' progress bar over the weights into reports."""

    def hook(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if kwargs.get("desc") != LOADING_BAR or not args:
            return factory(*args, **kwargs)
        return _report_items(list(args[0]), report)

    return hook


def _report_items(items: list[Any], report: ReportProgress) -> Iterator[Any]:
    for done, item in enumerate(items):
        report(done, len(items))
        yield item
    report(len(items), len(items))
