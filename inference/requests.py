"""The values that cross the border of the inference service: requests in, events out.

Everything here is frozen and cheap to import. Text is Unicode, times are milliseconds unless a
name says otherwise, sizes are tokens of the answering model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from inference.errors import ErrorCode, InferenceError

MAX_STOPS: Final = 4
MAX_STOP_CHARS: Final = 200
MAX_TOP_LOGPROBS: Final = 20


class PixelBudget(StrEnum):
    """How many image tokens one picture may cost; a token is 32 by 32 pixels for Qwen3-VL."""

    FAST = "fast"
    BALANCED = "balanced"
    DETAIL = "detail"
    FULL = "full"

    @property
    def max_image_tokens(self) -> int:
        """Return the most image tokens that one picture may become."""
        return _MAX_IMAGE_TOKENS[self]


_MAX_IMAGE_TOKENS = {
    PixelBudget.FAST: 256,
    PixelBudget.BALANCED: 1024,
    PixelBudget.DETAIL: 2048,
    PixelBudget.FULL: 16384,
}


class Role(StrEnum):
    """Who speaks in a message of the conversation."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Stage(StrEnum):
    """What a running request is busy with."""

    LOADING = "loading"
    VISION = "vision"
    PREFILL = "prefill"
    DECODE = "decode"


class FinishReason(StrEnum):
    """Why an answer ended: by itself, at its limit, by a person, or cut out of a loop."""

    STOP = "stop"
    LENGTH = "length"
    STOPPED = "stopped"
    REPETITION = "repetition"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text within a message, exactly as its author wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """A picture within a message: the encoded file and the hex SHA-256 of these bytes."""

    data: bytes
    sha256: str


MessagePart: TypeAlias = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation, its parts in the order of reading."""

    role: Role
    parts: tuple[MessagePart, ...]

    @property
    def text(self) -> str:
        """Return the message's text parts joined."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        """Return the message's pictures in order."""
        return tuple(part for part in self.parts if isinstance(part, ImagePart))


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How the next token is chosen; the defaults are the model's official ones.

    `temperature` 0 means greedy. `top_p` 1 and `top_k` 0 switch these filters off.
    `presence_penalty` is subtracted once from the logit of each token that the answer already
    contains; `repetition_penalty` divides. The same `seed` with the same request gives the same
    answer, also when the answer is continued from a prefix. `is_loop_guarded` ends an answer that
    only repeats itself, as `repetition`; see `loop_guard`. The text ends before the first of the
    `stop` strings, up to `MAX_STOPS` of up to `MAX_STOP_CHARS`; see `stop_strings`.
    `logprobs` asks for each token's log probability and for so many of the likeliest, 0 to
    `MAX_TOP_LOGPROBS`. `json_schema` holds the answer to JSON of this schema, `json_object` to any
    JSON object; see `json_constraint`.
    Source: the generation settings on the model card of Qwen3-VL-2B-Instruct.
    """

    max_tokens: int = 1024
    temperature: float = 0.7
    top_p: float = 0.8
    top_k: int = 20
    presence_penalty: float = 1.5
    repetition_penalty: float = 1.0
    seed: int = 0
    is_loop_guarded: bool = True
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    json_schema: Mapping[str, object] | None = field(default=None, hash=False)
    json_object: bool = False

    @property
    def schema(self) -> Mapping[str, object] | None:
        """Return the schema that the answer is held to; None: it is free."""
        return {"type": "object"} if self.json_object else self.json_schema

    def check(self) -> None:
        """Check what a caller may have passed on from outside.

        Raises:
            InferenceError: `invalid_options`, with what is wrong.
        """
        if len(self.stop) > MAX_STOPS:
            raise _invalid(f"There are {len(self.stop)} stop strings; {MAX_STOPS} are possible.")
        if not all(0 < len(string) <= MAX_STOP_CHARS for string in self.stop):
            raise _invalid(f"Each stop string has 1 to {MAX_STOP_CHARS} characters.")
        if self.logprobs is not None and not 0 <= self.logprobs <= MAX_TOP_LOGPROBS:
            raise _invalid(f"Log probabilities are given of 0 to {MAX_TOP_LOGPROBS} tokens.")
        if self.json_object and self.json_schema is not None:
            raise _invalid("The answer is either any JSON object or JSON of a schema, not both.")
        if self.schema is not None and self.stop:
            raise _invalid("A stop string would cut JSON short: ask for one of the two.")


def _invalid(message: str) -> InferenceError:
    return InferenceError(ErrorCode.INVALID_OPTIONS, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """One question to the model: the conversation so far, ending with the message to be answered.

    `prefix_token_ids` are tokens of this very answer that were accepted earlier (by this or
    another process): they are prefilled after the prompt, are not sent again as text, and count
    against `options.max_tokens`. `shown_chars` of their text were shown; it matters only where that
    is more than tokens and stop strings made certain, behind an answer that ended at its limit.
    `prefix_text` stands in their place where only text is known, of an answer that was cut: its
    tokens come first then, in a delta without text.
    """

    id: str
    messages: tuple[ChatMessage, ...]
    options: SamplingOptions = SamplingOptions()
    pixels: PixelBudget = PixelBudget.BALANCED
    prefix_token_ids: tuple[int, ...] = ()
    shown_chars: int = 0
    prefix_text: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a request cost in tokens; `image_tokens` are part of `prompt_tokens`.

    `completion_tokens` counts the whole answer, a given prefix included.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    image_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of a request went; the clock starts when the request leaves the queue."""

    vision_ms: int = 0
    prefill_ms: int = 0
    first_token_ms: int = 0
    total_ms: int = 0
    tokens_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """How far the running stage is, in the stage's own unit (layers, tokens, bytes)."""

    stage: Stage
    done: int
    total: int
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class ScoredToken:
    """A token, the bytes that it adds to the text, and its log probability (natural logarithm).

    The bytes may be part of a character; those of a control token are its name's.
    """

    token_id: int
    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """How likely the model held a token of the answer, and the likeliest at its place.

    By the model's raw scores, before penalties, temperature and schema. `top` is in falling order,
    and the token that was chosen need not be in it.
    """

    chosen: ScoredToken
    top: tuple[ScoredToken, ...]


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Text that follows all earlier text, and the accepted tokens since the last delta.

    `text` may be empty: a token can end within a character. All deltas' `token_ids` joined, after
    the request's prefix, are what a continuation needs as `prefix_token_ids`. `logprobs` has one
    entry a token where the request asked for them.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[TokenLogprobs, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete; the last event of its request."""

    finish_reason: FinishReason
    usage: Usage
    timings: Timings
    model: str
    demo: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The request broke off; the last event of its request. `message` is safe to show to people."""

    code: str
    message: str
    retryable: bool


Event: TypeAlias = StageProgress | TextDelta | Finished | Failed
TERMINAL_EVENTS = (Finished, Failed)
