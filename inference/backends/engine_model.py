"""A model that the engine runs, and one answer of it.

The calling slot's thread prepares the inputs and writes the text; everything in between is the
engine's thread's, which serves all slots together. Prompts, sampling and events are those of the
transformers backend.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic
from typing import TypeAlias

from torch import Tensor

from inference.backends.answer_tokens import AnswerTokens
from inference.backends.answer_writer import AnswerWriter
from inference.backends.base import Cancellation, Emit, ModelFiles
from inference.backends.engine_prompt import make_prompt
from inference.backends.layer_watch import AnswerStoppedError, PrefillProgress
from inference.backends.vision_input import Inputs, Processor, VisionInput
from inference.config import BackendName, InferenceConfig
from inference.engine.draft_hints import make_hints
from inference.engine.engine_stats import EngineStats
from inference.engine.engine_thread import EngineThread
from inference.engine.kernels.base import PAGE_TOKENS
from inference.engine.sequence import (
    AnswerRule,
    EngineSequence,
    PicturesRead,
    PromptRead,
    SequenceEnded,
    SequenceEvent,
    TokenChosen,
)
from inference.engine.shape import ModelShape
from inference.images import ImageLimits
from inference.model_stats import ModelStats
from inference.requests import Finished, GenerationRequest, Stage, Usage
from inference.sampling import Choice
from inference.warm_up import make_warm_up_request

Events: TypeAlias = SimpleQueue[SequenceEvent]


class EngineModel:
    """Answers requests through the engine; see `backends.base.LoadedModel`."""

    def __init__(  # noqa: PLR0913  # one for each part of a model
        self,
        processor: Processor,
        engine: EngineThread,
        *,
        shape: ModelShape,
        kernels: str,
        files: ModelFiles,
        config: InferenceConfig,
        eos_ids: frozenset[int],
    ) -> None:
        """Stand before a running engine, which `close` ends; `kernels` is their name."""
        self._engine = engine
        self._kernels = kernels
        self._number_format = config.quantization
        self._shape = shape
        self._files = files
        self._max_tokens = config.max_tokens
        self._eos_ids = eos_ids
        self._draft_hints = make_hints(processor.encode)
        self._tokens = AnswerTokens(processor, vocabulary=shape.text.vocabulary, eos_ids=eos_ids)
        self._input = VisionInput(
            processor,
            context_tokens=min(
                config.context_tokens, shape.text.max_positions, engine.capacity_tokens
            ),
        )

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

    def stats(self) -> EngineStats:
        """Return what the engine is busy with, how fast it is, and how full its caches are."""
        return self._engine.stats()

    def live_stats(self) -> ModelStats:
        """Return what of that operators look at."""
        stats = self._engine.stats()
        return ModelStats(
            backend=BackendName.ENGINE,
            kernels=self._kernels,
            number_format=self._number_format,
            batch=stats.decoding,
            drafted_tokens=stats.drafted_tokens,
            kept_tokens=stats.kept_tokens,
            cache_tokens=stats.cache.pages * PAGE_TOKENS,
            cache_used_tokens=(stats.cache.pages - stats.cache.free_pages) * PAGE_TOKENS,
            cache_hit_tokens=stats.cache.hit_tokens,
            cache_miss_tokens=stats.cache.miss_tokens,
            picture_bytes=stats.pictures.used_bytes,
        )

    def warm_up(self) -> None:
        """Run the smallest question with a picture through both networks: four patches, three rows.

        Nothing here is made for a shape, so more would only be computed to be thrown away. The 2B
        took 0.35 s of processor time longer with four tokens of picture and all 17 of the prompt.
        """
        request = make_warm_up_request(tokens=1)
        inputs = self._input.build_smallest(request)
        inputs["input_ids"] = _cut_to_picture(inputs["input_ids"], self._shape.image_token_id)
        self._answer(
            request,
            inputs,
            began=monotonic(),
            emit=lambda event: None,
            cancellation=Cancellation(),
        )

    def answer(
        self, request: GenerationRequest, *, emit: Emit, cancellation: Cancellation
    ) -> Finished:
        """Answer one request in the calling thread; see `backends.base.LoadedModel.answer`."""
        began = monotonic()
        request = self._input.find_prefix(request, emit)
        inputs = self._input.build(request, self._max_tokens_of(request))
        return self._answer(request, inputs, began=began, emit=emit, cancellation=cancellation)

    def close(self) -> None:
        """End the engine's thread; the memory is free when the last reference is."""
        self._engine.close()

    def _max_tokens_of(self, request: GenerationRequest) -> int:
        """Return how long the answer may become; what was written before is not held against it."""
        most = self._max_tokens + len(request.prefix_token_ids)
        return min(request.options.max_tokens, most)

    def _answer(
        self,
        request: GenerationRequest,
        inputs: Inputs,
        *,
        began: float,
        emit: Emit,
        cancellation: Cancellation,
    ) -> Finished:
        """Answer a request by its inputs; `began` is when the work on it did."""
        max_tokens = self._max_tokens_of(request)
        writer = self._tokens.begin(
            request,
            emit=emit,
            progress=PrefillProgress(
                emit=emit, cancellation=cancellation, prompt_tokens=inputs["input_ids"].shape[1]
            ),
        )
        cached_tokens = 0
        may_write = not (cancellation.is_set or writer.is_complete)
        if may_write and len(writer.answer_ids) < max_tokens:
            with self._tokens.constrain(request.options, writer.answer_ids) as constraint:
                rule = AnswerRule(
                    options=request.options,
                    max_tokens=max_tokens,
                    eos_ids=self._eos_ids,
                    draft_hints=self._draft_hints,
                    constraint=constraint,
                )
                cached_tokens = self._run(inputs, rule, writer=writer, cancellation=cancellation)
        return Finished(
            writer.end(is_cancelled=cancellation.is_set),
            self._count_usage(request, inputs, len(writer.answer_ids), cached_tokens),
            writer.timings(began),
            self.name,
            self.demo,
        )

    def _run(
        self, inputs: Inputs, rule: AnswerRule, *, writer: AnswerWriter, cancellation: Cancellation
    ) -> int:
        """Let the engine answer and write what it chooses; return the prompt's cached tokens."""
        events: Events = SimpleQueue()
        prompt_tokens = inputs["input_ids"].shape[1] - len(writer.answer_ids)
        sequence = EngineSequence(
            make_prompt(inputs, prompt_tokens, self._shape),
            rule,
            answer_ids=writer.answer_ids,
            emit=events.put,
            is_cancelled=lambda: cancellation.is_set or writer.is_complete,
        )
        self._engine.submit(sequence)
        ended = _relay(events.get, writer, cancellation)
        if ended.error is not None and not writer.is_complete:
            _raise(ended.error)
        return ended.cached_tokens

    def _count_usage(
        self, request: GenerationRequest, inputs: Inputs, answered: int, cached_tokens: int
    ) -> Usage:
        length = inputs["input_ids"].shape[1] - len(request.prefix_token_ids)
        prompt = inputs["input_ids"][0, :length]
        image_tokens = int((prompt == self._shape.image_token_id).sum())
        return Usage(length, cached_tokens, image_tokens, answered)


def _cut_to_picture(token_ids: Tensor, image_token_id: int) -> Tensor:
    """Return of a prompt (1, T) with one picture the picture's tokens and one on each side."""
    places = (token_ids[0] == image_token_id).nonzero()
    return token_ids[:, int(places[0]) - 1 : int(places[-1]) + 2]


def _relay(
    next_event: Callable[[], SequenceEvent], writer: AnswerWriter, cancellation: Cancellation
) -> SequenceEnded:
    """Write events until the last one; behind a cancellation they are only waited for.

    The engine may be a token or two ahead of this thread: what it chose after the wish to stop is
    not part of the answer.
    """
    while not isinstance(event := next_event(), SequenceEnded):
        if cancellation.is_set:
            continue
        try:
            _write(event, writer)
        except AnswerStoppedError:
            continue
    return event


def _write(event: PicturesRead | PromptRead | TokenChosen, writer: AnswerWriter) -> None:
    if isinstance(event, TokenChosen):
        writer.take(Choice(event.token_id, event.scores))
    elif isinstance(event, PromptRead):
        writer.progress.enter_layer(Stage.PREFILL, event.done, event.total)
    else:
        writer.progress.enter_layer(Stage.VISION, event.done, event.total)


def _raise(error: Exception) -> None:
    # What torch raises when the system refuses memory.
    if isinstance(error, RuntimeError) and "allocate memory" in str(error):
        raise MemoryError from error
    raise error
