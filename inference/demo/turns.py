"""One turn of a conversation about a scene: what is asked for, in which words.

Spelling, case, closing mark and politeness vary here; the questions themselves stand elsewhere.
"""

import random
from dataclasses import dataclass
from typing import Final

from inference.demo.drawing import COLOURS, SHAPES, Drawn, Scene
from inference.demo.languages import Language, Target

NOUNS: Final = ("shape", "shape", "shape", "object", "thing", "figure")
_PICTURES: Final = ("picture", "picture", "image", "drawing")
_POLITE: Final = ("please ", "can you tell me ", "tell me ", "and ", "so ", "now ", "ok, ", "hey, ")


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer; `about` is the shape that `it` means in a follow-up.

    `name` is what the question looks up, as it stands there (`blue ring`, `top left`), and `found`
    the shapes that it names, none of them if absent. `parts` are pieces of the answer, each with
    the shapes that it speaks of, where that differs from `found`.
    """

    kind: str
    question: str
    answer: str
    about: Drawn | None = None
    follow: str = ""
    name: str = ""
    found: tuple[Drawn, ...] | None = None
    parts: tuple[tuple[str, tuple[Drawn, ...]], ...] = ()


def matching(scene: Scene, target: Target) -> list[Drawn]:
    """Give the scene's shapes that fit a target, in reading order."""
    shape, colour = target
    return [t for t in scene.things if shape in (None, t.shape) and colour in (None, t.colour)]


def phrase(rng: random.Random, language: Language, template: str, **slots: str) -> str:
    """Fill a template and vary spelling, case, closing mark and politeness."""
    text = template.replace("{picture}", rng.choice(_PICTURES)).replace("{noun}", rng.choice(NOUNS))
    if language.code == "zh":
        text = text.format(**slots)
        return text.rstrip("？。") if rng.random() < 0.3 else text
    if rng.random() < 0.5:
        text = text.replace("colour", "color").replace("centre", "center")
    if rng.random() < 0.2:
        text = text.replace("what is", "what's").replace("where is", "where's")
    text = text.replace("{color}", "{colour}").format(**slots)
    if rng.random() < 0.08:
        polite = rng.choice(_POLITE)
        text = text if polite.startswith("can") and not text.endswith("?") else polite + text
    if rng.random() < 0.3:
        text = text.rstrip("?.")
    elif rng.random() < 0.03:
        text = text.rstrip("?.") + rng.choice((" ?", "!", "??", ", please?"))
    return text[0].upper() + text[1:] if rng.random() < 0.6 else text


def pick_target(rng: random.Random, scene: Scene, *, open_share: float = 0.0) -> Target:
    """Give a target that is in the scene about half of the time; (None, None) at `open_share`."""
    if rng.random() < open_share:
        return (None, None)
    shape, colour = rng.choice(SHAPES), rng.choice(list(COLOURS))
    if scene.things and rng.random() < 0.65:
        thing = rng.choice(scene.things)
        shape = thing.shape if rng.random() < 0.9 else shape
        colour = thing.colour if rng.random() < 0.9 else colour
    return rng.choices(((shape, None), (None, colour), (shape, colour)), (0.45, 0.2, 0.35))[0]
