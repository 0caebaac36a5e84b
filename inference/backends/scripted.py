"""A backend that answers from a script, for testing everything around the model without one.

Deterministic, no torch, no sleeping: a test opens a `Gate` step by step, or leaves it open. A
token is one word with the space behind it; its id is a checksum of these letters, so a
continuation from another answer's tokens is noticed. It has no log probabilities, and follows no
schema.
"""

from __future__ import annotations

import re
import threading
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from inference.backends.base import Cancellation, Emit, ModelFiles, ReportProgress
from inference.config import BackendName
from inference.errors import ErrorCode, InferenceError
from inference.images import QWEN3_VL_LIMITS, ImageLimits, count_image_tokens, decode_image
from inference.loop_guard import LoopGuard
from inference.model_stats import ModelStats
from inference.prompt import fit_context
from inference.requests import (
    ChatMessage,
    Finished,
    FinishReason,
    GenerationRequest,
    Role,
    Stage,
    StageProgress,
    TextDelta,
    Timings,
    Usage,
)
from inference.stop_strings import StopStrings
from inference.warm_up import make_warm_up_request

OPENINGS = ("I see", "Here is", "This shows", "Let me tell you about")
LOADING_STEPS = 4
DEFAULT_CONTEXT_TOKENS = 20_480


class Gate:
    """Lets a scripted answer take its steps: all of them (open), or as many as a test allows.

    A step is named by its stage. Waiting ends without permission when the request is cancelled.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        """Start open, or closed for all stages."""
        self._changed = threading.Condition()
        self._is_open = is_open
        self._allowed: dict[Stage, int] = {}
        self._waiting: dict[Stage, int] = {}

    def open(self) -> None:
        """Let everything pass from now on."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing pass from now on, and forget what was allowed."""
        with self._changed:
            self._is_open = False
            self._allowed.clear()

    def allow(self, stage: Stage, steps: int = 1) -> None:
        """Let this many more steps of `stage` pass."""
        with self._changed:
            self._allowed[stage] = self._allowed.get(stage, 0) + steps
            self._changed.notify_all()

    def wait_until_blocked(self, stage: Stage, timeout_s: float) -> bool:
        """Block until a request waits here before a step of `stage`.

        Say whether one came in time.
        """
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting.get(stage, 0) > 0, timeout_s)

    def pass_step(self, stage: Stage, cancellation: Cancellation) -> None:
        """Take one step of `stage`, when it is allowed."""
        cancellation.add_callback(self._notify)
        with self._changed:
            self._waiting[stage] = self._waiting.get(stage, 0) + 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: cancellation.is_set or self._may_pass(stage))
            self._waiting[stage] -= 1
            if not self._is_open and self._may_pass(stage):
                self._allowed[stage] -= 1

    def _may_pass(self, stage: Stage) -> bool:
        return self._is_open or self._allowed.get(stage, 0) > 0

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What the scripted model does.

    `answer` gives the whole text for a request. `failures` maps a stage to the error raised at its
    beginning, for `decode` after `fail_after_tokens` tokens. `token_delay_s` paces an answer for
    people who look at a page; it ends early when the request is cancelled. With `has_loop_guard` an
    answer that only repeats itself ends as a model's does, where the request asks for that.
    """

    answer: Callable[[GenerationRequest], str] = field(default_factory=lambda: describe_request)
    vision_steps: int = 2
    prefill_steps: int = 2
    token_delay_s: float = 0.0
    failures: Mapping[Stage, Exception] = field(default_factory=dict)
    fail_after_tokens: int = 0
    context_tokens: int = DEFAULT_CONTEXT_TOKENS
    has_loop_guard: bool = False
    gate: Gate = field(default_factory=Gate)


class ScriptedBackend:
    """Loads the scripted model; a failure scripted for the stage `loading` happens here."""

    def __init__(self, script: Script | None = None) -> None:
        """Keep the script; without one, the answers tell facts about the request."""
        self._script = script or Script()

    def load(self, files: ModelFiles, report: ReportProgress) -> ScriptedModel:
        """Return the scripted model after a few steps of loading."""
        never = Cancellation()
        for step in range(LOADING_STEPS):
            report(step, LOADING_STEPS)
            self._script.gate.pass_step(Stage.LOADING, never)
        if Stage.LOADING in self._script.failures:
            raise self._script.failures[Stage.LOADING]
        report(LOADING_STEPS, LOADING_STEPS)
        return ScriptedModel(self._script, files)


class ScriptedModel:
    """Answers by its script, through the same stages and events as a real model."""

    def __init__(self, script: Script, files: ModelFiles) -> None:
        """Answer as `files.name`."""
        self._script = script
        self._files = files
        self.is_closed = False

    @property
    def name(self) -> str:
        """Return the name that stands on every answer."""
        return self._files.name

    @property
    def demo(self) -> bool:
        """Say whether it plays the bundled demo model."""
        return self._files.demo

    @property
    def context_tokens(self) -> int:
        """Return how many tokens prompt and answer may take together."""
        return self._script.context_tokens

    @property
    def image_limits(self) -> ImageLimits:
        """Return the limits of Qwen3-VL."""
        return QWEN3_VL_LIMITS

    def warm_up(self) -> None:
        """Show the script the question; there is nothing to warm."""
        self._script.answer(make_warm_up_request(tokens=1))

    def answer(
        self, request: GenerationRequest, *, emit: Emit, cancellation: Cancellation
    ) -> Finished:
        """Answer one request; see `LoadedModel.answer`."""
        request = self._fit(request)
        image_tokens = sum(_image_costs(request))
        prompt_tokens = image_tokens + sum(_count_words(m) for m in request.messages)
        pieces = split_words(self._script.answer(request))
        request = _find_prefix(request, pieces, emit)
        accepted = _check_prefix(pieces, request.prefix_token_ids)
        for step in self._stages(request, emit, cancellation, has_images=image_tokens > 0):
            if cancellation.is_set:
                usage = Usage(prompt_tokens, 0, image_tokens, accepted)
                return self._finish(FinishReason.STOPPED, usage)
            emit(step)
        reason, count = self._decode(request, pieces, emit=emit, cancellation=cancellation)
        return self._finish(reason, Usage(prompt_tokens, 0, image_tokens, count))

    def live_stats(self) -> ModelStats:
        """Return the backend's name; there is nothing else."""
        return ModelStats(backend=BackendName.SCRIPTED)

    def close(self) -> None:
        """Remember that the service let this model go."""
        self.is_closed = True

    def _fit(self, request: GenerationRequest) -> GenerationRequest:
        def count(message: ChatMessage) -> int:
            return _count_words(message) + sum(_image_costs(request, message))

        kept = fit_context(request.messages, count, self._script.context_tokens)
        return replace(request, messages=kept)

    def _stages(
        self,
        request: GenerationRequest,
        emit: Emit,
        cancellation: Cancellation,
        *,
        has_images: bool,
    ) -> Iterator[StageProgress]:
        """Give the progress of vision and prefill, a gate's step each.

        A scripted failure comes first.
        """
        totals = {Stage.VISION: self._script.vision_steps if has_images else 0}
        totals[Stage.PREFILL] = self._script.prefill_steps
        for stage, total in totals.items():
            if total and stage in self._script.failures:
                raise self._script.failures[stage]
            for step in range(total):
                self._script.gate.pass_step(stage, cancellation)
                yield StageProgress(stage, step + 1, total)

    def _decode(
        self,
        request: GenerationRequest,
        pieces: Sequence[str],
        *,
        emit: Emit,
        cancellation: Cancellation,
    ) -> tuple[FinishReason, int]:
        """Emit the rest of the answer word by word.

        Return why it ended and how many words there are now.
        """
        count = len(request.prefix_token_ids)
        stops = StopStrings(request.options.stop)
        stops.take("".join(pieces[:count]))
        stops.skip(request.shown_chars)
        guard = self._guard(request, pieces[:count])
        for piece in pieces[count:]:
            if stops.is_found:
                return FinishReason.STOP, count
            if guard and guard.is_looping:
                return FinishReason.REPETITION, count
            if count >= request.options.max_tokens:
                _show_held(stops, emit)
                return FinishReason.LENGTH, count
            if count >= self._script.fail_after_tokens and Stage.DECODE in self._script.failures:
                raise self._script.failures[Stage.DECODE]
            self._script.gate.pass_step(Stage.DECODE, cancellation)
            if cancellation.is_set or cancellation.wait(self._script.token_delay_s):
                return FinishReason.STOPPED, count
            emit(TextDelta(stops.take(piece), (word_id(piece),)))
            count += 1
            if guard:
                guard.take(word_id(piece), piece)
        _show_held(stops, emit)
        return FinishReason.STOP, count

    def _guard(self, request: GenerationRequest, prefix: Sequence[str]) -> LoopGuard | None:
        """Return what watches the answer behind its prefix, where anything does."""
        if not (self._script.has_loop_guard and request.options.is_loop_guarded):
            return None
        guard = LoopGuard()
        for piece in prefix:
            guard.take(word_id(piece), piece)
        return guard

    def _finish(self, reason: FinishReason, usage: Usage) -> Finished:
        return Finished(reason, usage, Timings(), self.name, self.demo)


def describe_request(request: GenerationRequest) -> str:
    """Return what arrived: turns, pictures with sizes, the first and the last question.

    With a temperature the opening depends on the seed.
    """
    questions = [message for message in request.messages if message.role is Role.USER]
    pictures = [decode_image(part.data) for message in questions for part in message.images]
    sizes = ", ".join(f"{picture.width}x{picture.height}" for picture in pictures)
    opening = (
        OPENINGS[request.options.seed % len(OPENINGS)] if request.options.temperature else "I got"
    )
    return (
        f"{opening} turn {len(questions)} with {len(pictures)} pictures ({sizes or 'none'}). "
        f"You asked first: {questions[0].text!r} and now: {questions[-1].text!r}."
    )


def split_words(text: str) -> list[str]:
    """Return the text's tokens: each word with the space behind it."""
    return re.findall(r"\S+\s*|^\s+", text)


def word_id(piece: str) -> int:
    """Return the token id of a word piece, the same in every process."""
    return zlib.crc32(piece.encode("utf-8"))


def _check_prefix(pieces: Sequence[str], prefix: Sequence[int]) -> int:
    """Return the prefix's length; raise if these tokens do not begin this answer."""
    if list(map(word_id, pieces[: len(prefix)])) != list(prefix):
        raise InferenceError(
            ErrorCode.GENERATION_FAILED, "The given prefix does not begin this answer."
        )
    return len(prefix)


def _find_prefix(
    request: GenerationRequest, pieces: Sequence[str], emit: Emit
) -> GenerationRequest:
    """Give a prefix that is text as words, to the end of its last one."""
    if not request.prefix_text or request.prefix_token_ids:
        return request
    ends = list(accumulate(map(len, pieces)))
    count = bisect_left(ends, len(request.prefix_text)) + 1
    text = "".join(pieces[:count])
    if not text.startswith(request.prefix_text):
        raise InferenceError(
            ErrorCode.GENERATION_FAILED, "The given text does not begin this answer."
        )
    token_ids = tuple(map(word_id, pieces[:count]))
    emit(TextDelta(text[len(request.prefix_text) :], token_ids))
    return replace(request, prefix_token_ids=token_ids, shown_chars=len(text))


def _show_held(stops: StopStrings, emit: Emit) -> None:
    if text := stops.release():
        emit(TextDelta(text, ()))


def _count_words(message: ChatMessage) -> int:
    return len(message.text.split()) + 1


def _image_costs(request: GenerationRequest, message: ChatMessage | None = None) -> list[int]:
    messages = request.messages if message is None else (message,)
    pictures = [decode_image(part.data) for each in messages for part in each.images]
    return [count_image_tokens(p.width, p.height, request.pixels) for p in pictures]
