"""What the shipped model is examined with: fresh pictures, and one question of each kind a case.

Every case starts a conversation of its own, so no earlier answer gives a later one away; only
follow-ups and questions about the conversation have a turn before them.
"""

import io
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from PIL import Image

from inference.demo import REFUSAL
from inference.demo.drawing import COLOURS, MIDDLE, SHAPES, Box, Drawn, Scene, draw_plan, draw_scene
from inference.demo.languages import CHINESE, ENGLISH
from inference.demo.questions import (
    Asker,
    ask,
    ask_box,
    ask_colour,
    ask_count,
    ask_describe,
    ask_exist,
    ask_first,
    ask_read,
    ask_what_at,
    ask_where,
    follow_up,
)
from inference.demo.small_talk import HELD_OUT
from inference.demo.turns import Turn

SEED: Final = 4242
THRESHOLDS: Final[dict[str, float]] = {
    "count": 0.95,
    "colour": 0.95,
    "position": 0.95,
    "exist": 0.95,
    "read": 0.85,
    "describe": 0.80,
    "box": 0.60,
    "photo": 0.95,
    "talk": 0.95,
    "pasted": 0.95,
    "follow_up": 0.0,
    "first": 0.0,
    "chinese": 0.0,
}
"""Least share of exact answers by kind; for boxes the least mean intersection over union."""
_ASKED: Final[dict[str, tuple[tuple[str, Asker], ...]]] = {
    "shapes": (
        ("count", ask_count),
        ("colour", ask_colour),
        ("position", ask_where),
        ("position", ask_what_at),
        ("exist", ask_exist),
        ("describe", ask_describe),
        ("box", ask_box),
    ),
    "text": (("read", ask_read), ("describe", ask_describe)),
    "empty": (("count", ask_count), ("exist", ask_exist), ("describe", ask_describe)),
    "photo": (),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation that ends with a question, and the only right answer to it."""

    kind: str
    images: tuple[Image.Image, ...]
    turns: tuple[Turn, ...]
    boxes: tuple[Box, ...] = ()

    @property
    def answer(self) -> str:
        """The right answer to the last question."""
        return self.turns[-1].answer

    def messages(self) -> list[dict[str, Any]]:
        """Give the conversation as the processor's chat template takes it; pictures come first."""
        messages: list[dict[str, Any]] = []
        for turn in self.turns:
            parts: list[dict[str, Any]] = [{"type": "text", "text": turn.question}]
            if not messages:
                parts = [*({"type": "image", "image": image} for image in self.images), *parts]
            messages.append({"role": "user", "content": parts})
            messages.append({"role": "assistant", "content": turn.answer})
        return messages[:-1]


@dataclass(slots=True)
class _Examiner:
    """Draws the questions of one picture."""

    rng: random.Random
    scene: Scene
    image: Image.Image
    cases: list[Case] = field(default_factory=list)

    def add(self, kind: str, *turns: Turn, boxes: tuple[Box, ...] = ()) -> None:
        self.cases.append(Case(kind, (self.image,), turns, boxes))

    def _turn(self, asker: Asker) -> Turn | None:
        attempts = (asker(self.rng, self.scene, ENGLISH) for _ in range(20))
        return next((turn for turn in attempts if turn is not None), None)

    def examine(self) -> list[Case]:
        """One case of each kind that fits the picture."""
        if self.scene.kind == "photo":
            self.add("photo", ask(self.rng, self.scene, ENGLISH))
            return self.cases
        for kind, asker in _ASKED[self.scene.kind]:
            turn = self._turn(asker)
            if turn is None:
                continue
            if kind != "box":
                self.add(kind, turn)
            elif turn.about is not None:
                self.add("box", turn, boxes=(turn.about.box,))
        if self.scene.kind == "shapes":
            self._converse()
        return self.cases

    def _converse(self) -> None:
        opening = self._turn(self.rng.choice((ask_what_at, ask_where, ask_colour, ask_count)))
        if opening is None:
            return
        further = follow_up(self.rng, self.scene, ENGLISH, opening)
        if further is not None:
            self.add("follow_up", opening, further)
        if self.rng.random() < 0.3:
            self.add("first", opening, ask_first(self.rng, opening.question))
        if self.rng.random() < 0.5:
            asker = self.rng.choice((ask_count, ask_colour, ask_where, ask_exist, ask_describe))
            turn = asker(self.rng, self.scene, CHINESE)
            if turn is not None:
                self.add("chinese", turn)


def picture_cases(pictures: int) -> list[Case]:
    """Cases about `pictures` fresh drawings, larger than the processor lets through."""
    cases = []
    for index in range(pictures):
        scene, image = draw_scene(SEED, index, pasted=True)
        cases += _Examiner(random.Random(f"cases {index}"), scene, image).examine()
    return cases


def photograph_cases(count: int) -> list[Case]:
    """Any question about held-out photographs, real where wheels ship some, and procedural."""
    cases = []
    for index in range(count):
        scene, image = draw_scene(SEED + 1, index, kind="photo", pasted=True)
        cases += _Examiner(random.Random(f"photograph {index}"), scene, image).examine()
    return cases


def talk_cases() -> list[Case]:
    """Held-out small talk, each sentence alone, about a drawing, and in another case."""
    cases = []
    for index, sentence in enumerate(HELD_OUT):
        other = sentence[0].swapcase() + sentence[1:]
        _, image = draw_scene(SEED + 2, index, kind="shapes", pasted=True)
        for text, images in itertools.product((sentence, other), ((), (image,))):
            cases.append(Case("talk", images, (Turn("talk", text, REFUSAL),)))
    return cases


def _pasted_questions(thing: Drawn) -> Iterator[tuple[str, str]]:
    name, colour = f"{thing.colour} {thing.shape}", thing.colour.capitalize()
    article = "An" if name[0] in "aeiou" else "A"
    whole = f"{article} {name} in the middle."
    yield from ((q, whole) for q in ("What is this?", "what is this", "What do you see?"))
    yield from ((q, whole) for q in ("Describe the picture.", "describe the image"))
    yield from ((q, "One.") for q in ("How many shapes are there?", "how many objects are there?"))
    yield f"What colour is the {thing.shape}?", f"{colour}."
    yield f"what color is the {thing.shape}", f"{colour}."
    yield f"Where is the {thing.shape}?", "In the middle."
    yield f"Is there a {thing.shape}?", "Yes."


def pasted_cases() -> list[Case]:
    """One shape in the middle of a white picture, as a person would draw and paste it."""
    sizes = ((200, 200), (300, 200), (320, 240), (400, 400), (500, 500), (640, 480), (800, 600))
    cases = []
    for number, (shape, colour) in enumerate(itertools.product(SHAPES, COLOURS)):
        radius = (0.15, 0.25, 0.35, 0.42)[number % 4]
        image = draw_plan(sizes[number % len(sizes)], [(colour, shape, MIDDLE)], r=radius)
        if number % 3 == 0:
            file = io.BytesIO()
            image.save(file, "JPEG", quality=80)
            image = Image.open(file).convert("RGB")
        thing = Drawn(shape, colour, MIDDLE, (0.0, 0.0, 1.0, 1.0))
        questions = list(_pasted_questions(thing))
        for question, answer in (questions[number % 3], *questions[3 + number % 2 :: 2]):
            cases.append(Case("pasted", (image,), (Turn("pasted", question, answer),)))
    return cases


def all_cases(pictures: int) -> list[Case]:
    """Everything; the photographs are a fifth of the drawings."""
    return [
        *picture_cases(pictures),
        *photograph_cases(max(10, pictures // 5)),
        *talk_cases(),
        *pasted_cases(),
    ]
