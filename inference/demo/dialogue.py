"""Conversations about pictures, and their encoding as token ids, positions and weighted labels.

The encoding equals what the chat template and the processor yield (a test compares them), and the
positions are Qwen3-VL's: an image token counts its row and column, text goes on after the larger.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from inference.demo import REFUSAL
from inference.demo.drawing import Drawn, Scene
from inference.demo.gaze import Gaze, GazeTargets, cells_of
from inference.demo.questions import LANGUAGES, ask, ask_describe, ask_first, follow_up
from inference.demo.small_talk import small_talk
from inference.demo.supervision import CELL_PX
from inference.demo.turns import Turn

SYSTEM_PROMPTS: Final = (
    "You are a helpful assistant.",
    "Answer briefly.",
    "You answer questions about pictures.",
)
_REFUSAL_WEIGHT: Final = 0.4
CHINESE_SHARE: Final = 0.09
KNOWN_STRINGS: Final = 50_000


@dataclass(slots=True)
class Exchange:
    """One turn of a conversation; `picture` is the index of the picture shown with it."""

    turn: Turn
    picture: int | None = None


@dataclass(slots=True)
class Conversation:
    """What is said, in order."""

    exchanges: list[Exchange] = field(default_factory=list)
    system: str = ""
    numbered: bool = False


class Encoder:
    """Turns conversations into ids with a fast look-up for repeated strings."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Take the ids of the marks from the tokenizer."""
        self._tokenizer = tokenizer.backend_tokenizer
        self._known: dict[str, list[int]] = {}
        known: dict[str, int] = tokenizer.get_vocab()
        self.start, self.end = known["<|im_start|>"], known["<|im_end|>"]
        self.vision_start, self.vision_end = known["<|vision_start|>"], known["<|vision_end|>"]
        self.image, self.pad = known["<|image_pad|>"], known["<|endoftext|>"]

    def ids(self, text: str) -> list[int]:
        """Token ids of a piece of text."""
        if text not in self._known:
            if len(self._known) > KNOWN_STRINGS:
                self._known.clear()
            self._known[text] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return self._known[text]

    def token_at(self, text: str, letter: int) -> int:
        """Index of the token of `text` that holds its character number `letter`."""
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return next(index for index, (_, end) in enumerate(offsets) if letter < end)


@dataclass(slots=True)
class Encoded:
    """A conversation as parallel lists; `answers` are (kind, first, last + 1) spans of labels.

    `gazes` say at what a token is taught to look. Of the picture shown last, `cells` is the place
    of its first token and `grid` its (columns, rows).
    """

    ids: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    positions: list[tuple[int, int, int]] = field(default_factory=list)
    pictures: list[int] = field(default_factory=list)
    answers: list[tuple[str, int, int]] = field(default_factory=list)
    gazes: list[Gaze] = field(default_factory=list)
    next_position: int = 0
    cells: int = 0
    grid: tuple[int, int] = (0, 0)

    def add(self, ids: Sequence[int], weight: float = 0.0) -> None:
        """Append text tokens."""
        p = self.next_position
        self.ids += ids
        self.weights += [weight] * len(ids)
        self.positions += [(p + k, p + k, p + k) for k in range(len(ids))]
        self.next_position += len(ids)

    def add_picture(self, token: int, picture: int, size: tuple[int, int]) -> None:
        """Append one picture's tokens; `size` is its (width, height) in pixels."""
        columns, rows = size[0] // CELL_PX, size[1] // CELL_PX
        p = self.next_position
        self.cells, self.grid = len(self.ids), (columns, rows)
        self.ids += [token] * (rows * columns)
        self.weights += [0.0] * (rows * columns)
        self.positions += [(p, p + r, p + c) for r in range(rows) for c in range(columns)]
        self.pictures.append(picture)
        self.next_position += max(rows, columns)

    def cells_of(self, things: Sequence[Drawn]) -> tuple[int, ...]:
        """Places of the tokens that show some shapes; without any, of the picture's end mark."""
        if not things:
            return (self.cells + self.grid[0] * self.grid[1],)
        return tuple(self.cells + cell for t in things for cell in cells_of(t.box, *self.grid))


def encode(
    encoder: Encoder, conversation: Conversation, size_of: Callable[[int], tuple[int, int]]
) -> Encoded:
    """Ids, weights and positions of a conversation; answers carry weight, all else none."""
    out, shown, named = Encoded(), 0, None
    newline = encoder.ids("\n")
    if conversation.system:
        text = encoder.ids(f"system\n{conversation.system}")
        out.add([encoder.start, *text, encoder.end, *newline])
    questions: list[tuple[int, list[int]]] = []
    for exchange in conversation.exchanges:
        turn = exchange.turn
        out.add([encoder.start, *encoder.ids("user\n")])
        if exchange.picture is not None:
            shown += 1
            if conversation.numbered:
                out.add(encoder.ids(f"Picture {shown}: "))
            out.add([encoder.vision_start])
            out.add_picture(encoder.image, exchange.picture, size_of(exchange.picture))
            out.add([encoder.vision_end])
        questions.append((len(out.ids), encoder.ids(turn.question)))
        if turn.kind != "follow_up" or turn.name:
            named = _look_up(encoder, out, turn)
        opening = [encoder.end, *newline, encoder.start, *encoder.ids("assistant\n")]
        out.add([*encoder.ids(turn.question), *opening])
        answer = [*encoder.ids(turn.answer), encoder.end]
        scale = _REFUSAL_WEIGHT if turn.answer == REFUSAL else 1.0
        first = len(out.ids)
        out.add(answer, scale / len(answer) ** 0.5)
        out.answers.append((turn.kind, first, len(out.ids)))
        if named is not None:
            out.gazes += [Gaze("refer", at, (named,)) for at in range(first - 1, len(out.ids) - 1)]
        if turn.kind == "first":
            out.gazes += _copies(answer[:-1], first, *questions[0])
        _tell(encoder, out, turn, first)
        out.add(newline)
    return out


def _look_up(encoder: Encoder, out: Encoded, turn: Turn) -> int | None:
    """Teach the name in a question, which comes next, to look at what it names; give its place."""
    start = turn.question.lower().rfind(turn.name.lower()) if turn.name else -1
    if start < 0 or turn.found is None:
        return None
    place = len(out.ids) + encoder.token_at(turn.question, start + len(turn.name) - 1)
    out.gazes.append(Gaze("look_up", place, out.cells_of(turn.found)))
    return place


def _copies(answer: list[int], first: int, start: int, question: list[int]) -> list[Gaze]:
    """Teach an answer from place `first` to look at the words of a question that it repeats."""
    gazes = []
    for back in range(1, min(len(answer), len(question)) + 1):
        if answer[-back] != question[-back]:
            break
        at = first + len(answer) - back - 1
        gazes.append(Gaze("copy", at, (start + len(question) - back,)))
    return gazes


def _tell(encoder: Encoder, out: Encoded, turn: Turn, first: int) -> None:
    """Teach an answer from place `first` to look at the shapes that it speaks of."""
    parts = turn.parts or ([(turn.answer, turn.found)] if turn.found is not None else [])
    start = 0
    for text, things in parts:
        # A description starts with a capital letter, its parts do not.
        start = turn.answer.lower().index(text.lower(), start)
        end = start + len(text)
        places = range(
            encoder.token_at(turn.answer, start), encoder.token_at(turn.answer, end - 1) + 1
        )
        on = out.cells_of(things)
        out.gazes += [Gaze("tell", first + place - 1, on) for place in places]
        start = end


def _next_turn(rng: random.Random, scene: Scene, talk: Conversation, late: bool) -> Turn:
    """Give a further question about the scene shown last."""
    if talk.exchanges:
        last = talk.exchanges[-1].turn
        roll = rng.random()
        if roll < 0.16:
            chinese = any(ord(letter) > 0x3000 for letter in last.question)
            turn = follow_up(rng, scene, LANGUAGES["zh" if chinese else "en"], last)
            if turn is not None and scene.kind != "photo":
                return turn
        elif roll < 0.23:
            return ask_first(rng, talk.exchanges[0].turn.question)
    if rng.random() < 0.06:
        return Turn("talk", small_talk(rng), REFUSAL)
    language = LANGUAGES["zh" if rng.random() < CHINESE_SHARE else "en"]
    turn = ask(rng, scene, language)
    while late and turn.kind == "describe":
        turn = ask(rng, scene, language)
    return turn


def converse(
    rng: random.Random, scenes: Sequence[tuple[int, Scene]], encoder: Encoder, budget: int
) -> Conversation:
    """Give a conversation of about `budget` tokens that shows the given (index, scene) in order.

    Without scenes everything is small talk or a question about a picture that is not there.
    Descriptions give every later answer away, so most conversations end with them.
    """
    talk = Conversation(
        system=rng.choice(SYSTEM_PROMPTS) if rng.random() < 0.05 else "",
        numbered=rng.random() < (0.3 if len(scenes) > 1 else 0.03),
    )
    if not scenes:
        for _ in range(rng.randint(1, 3)):
            nothing = Scene("photo", (128, 128))
            turn = ask(rng, nothing, LANGUAGES["zh" if rng.random() < CHINESE_SHARE else "en"])
            text = small_talk(rng) if rng.random() < 0.7 else turn.question
            talk.exchanges.append(Exchange(Turn("talk", text, REFUSAL)))
        return talk
    for number, scene in scenes:
        late = scene.kind == "shapes" and rng.random() < 0.6
        most = 7 if scene.kind == "shapes" else 3 if scene.kind == "text" else 2
        share, used, turns = budget // len(scenes), 0, 0
        while turns < most:
            turn = _next_turn(rng, scene, talk, late)
            cost = len(encoder.ids(turn.question)) + len(encoder.ids(turn.answer)) + 10
            if turns and used + cost > share - 24:
                break
            talk.exchanges.append(Exchange(turn, number if turns == 0 else None))
            used, turns = used + cost, turns + 1
        if late and used + 40 < share:
            closing = ask_describe(rng, scene, LANGUAGES["en"])
            if closing is not None:
                talk.exchanges.append(Exchange(closing))
    return talk


class TextBatch:
    """Encoded conversations as padded tensors; B conversations of at most T tokens.

    Each conversation's spans of answers are kept in `encoded`, in the order of rows.
    `spots` are the image tokens' places in the flattened (B * T), in the order of `pictures`;
    `answer_spots` the places whose next token is an answer's, with `targets` and `weights`.
    """

    def __init__(self, encoded: Sequence[Encoded], encoder: Encoder) -> None:
        """Pad the conversations to the longest one."""
        self.encoded = list(encoded)
        length = max(len(e.ids) for e in encoded)
        self.ids = torch.tensor([e.ids + [encoder.pad] * (length - len(e.ids)) for e in encoded])
        rows = [e.positions + [(0, 0, 0)] * (length - len(e.positions)) for e in encoded]
        self.positions = torch.tensor(rows).permute(2, 0, 1)
        self.pictures = [picture for e in encoded for picture in e.pictures]
        self.spots = (self.ids == encoder.image).flatten().nonzero()[:, 0]
        weights = torch.tensor([e.weights + [0.0] * (length - len(e.weights)) for e in encoded])
        self.answer_spots = (weights[:, 1:] > 0).nonzero() @ torch.tensor([length, 1])
        self.targets = self.ids.flatten()[self.answer_spots + 1]
        self.weights = weights.flatten()[self.answer_spots + 1]
        self.gazes = GazeTargets([e.gazes for e in encoded], length)
        self.length = length


def picture_tokens(features: Tensor, batch: TextBatch) -> Tensor:
    """Rows of `features` (pictures, N, H) in the order in which `batch` shows them."""
    return features[torch.tensor(batch.pictures, dtype=torch.long)].flatten(0, 1)
