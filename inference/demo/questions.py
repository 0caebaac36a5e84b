"""Questions about a scene and their only right answers, in English and Chinese.

Every `ask_*` function takes a source of chance, a scene and a language and returns a Turn, or None
when the scene allows no unambiguous question of that kind.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import Final

from inference.demo import REFUSAL
from inference.demo.drawing import COLOURS, CORNERS, MIDDLE, SHAPES, Box, Drawn, Scene
from inference.demo.languages import CHINESE, ENGLISH, Language, Target
from inference.demo.turns import NOUNS, Turn, matching, phrase, pick_target

BOX_UNITS: Final = 1000
BOX_STEP: Final = 10


def _question(rng: random.Random, language: Language, kind: str, **slots: str) -> str:
    return phrase(rng, language, rng.choice(language.questions[kind]), **slots)


def ask_count(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """How many shapes, circles, red shapes or red circles."""
    target = pick_target(rng, scene, open_share=0.5)
    found = matching(scene, target)
    many = language.many(target, rng.choice(NOUNS))
    answer = language.answers["count"].format(number=language.numbers[len(found)])
    question = _question(rng, language, "count", many=many)
    return Turn("count", question, answer, follow="count", name=many, found=tuple(found))


def _absent(language: Language, target: Target) -> str:
    return language.answers["absent"].format(the=language.name(target))


def _colour(language: Language, colour: str) -> str:
    name = language.colours[colour]
    return language.answers["colour"].format(colour=name, Colour=name.capitalize())


def ask_colour(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give the colour of a shape, which may be absent, or of the only shape there is."""
    shape: str | None = rng.choice(SHAPES)
    if scene.things and rng.random() < 0.85:
        shape = rng.choice(scene.things).shape
    noun = ""
    if len(scene.things) == 1 and rng.random() < 0.3:
        shape, noun = None, rng.choice(NOUNS)
        if rng.random() < 0.5:
            answer = _colour(language, scene.things[0].colour)
            question = _question(rng, language, "colour_it")
            return Turn("colour", question, answer, scene.things[0], found=scene.things)
    found = matching(scene, (shape, None))
    if len({thing.colour for thing in found}) > 1:
        return None
    name = language.name((shape, None), noun or "shape")
    answer = _colour(language, found[0].colour) if found else _absent(language, (shape, None))
    about = found[0] if len(found) == 1 else None
    question = _question(rng, language, "colour", shape=name)
    return Turn("colour", question, answer, about, "colour", name, tuple(found))


def _place(language: Language, place: str) -> str:
    key = "where_middle" if place == MIDDLE else "where"
    return language.answers[key].format(place=language.places[place])


def ask_where(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give the place of a shape, which may be absent."""
    target = pick_target(rng, scene)
    found = matching(scene, target)
    if len(found) > 1 or (not found and rng.random() < 0.6):
        return None
    name = language.name(target)
    question = _question(rng, language, "where", the=name)
    about = found[0] if found else None
    answer = _place(language, about.place) if about else _absent(language, target)
    return Turn("where", question, answer, about, "where", name, tuple(found))


def ask_what_at(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give what is at a place, or nothing."""
    place = rng.choice((*CORNERS, MIDDLE))
    if scene.things and rng.random() < 0.7:
        place = rng.choice(scene.things).place
    found = [thing for thing in scene.things if thing.place == place]
    kind = "what_middle" if place == MIDDLE else "what_at"
    name = language.places[place]
    question = _question(rng, language, kind, place=name)
    if not found:
        return Turn("what_at", question, language.answers["nothing"], name=name, found=())
    one = language.one((found[0].shape, found[0].colour))
    answer = language.answers["what_at"].format(One=one[0].upper() + one[1:], one=one)
    return Turn("what_at", question, answer, found[0], name=name, found=tuple(found))


def ask_exist(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Whether there is such a shape, or whether a shape has a colour."""
    if scene.things and rng.random() < 0.2:
        thing = rng.choice(scene.things)
        colour = thing.colour if rng.random() < 0.5 else rng.choice(list(COLOURS))
        if len(matching(scene, (thing.shape, None))) == 1:
            yes, no = ("is", "is_not") if language.code == "zh" else ("yes", "no")
            slots = {"shape": language.shapes[thing.shape], "colour": language.colours[colour]}
            question = _question(rng, language, "is_colour", **slots)
            answer = language.answers[yes if colour == thing.colour else no]
            return Turn("exist", question, answer, name=slots["shape"], found=(thing,))
    target = pick_target(rng, scene)
    noun = rng.choice(NOUNS)
    slots = {"one": language.one(target, noun), "many": language.many(target, noun)}
    found = tuple(matching(scene, target))
    answer = language.answers["yes" if found else "no"]
    question = _question(rng, language, "exist", **slots)
    return Turn("exist", question, answer, name=language.name(target, noun), found=found)


def ask_which_shape(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Which shape has a colour; English only."""
    colour = rng.choice([thing.colour for thing in scene.things] or list(COLOURS))
    found = matching(scene, (None, colour))
    if len(found) != 1 or language.code != "en":
        return None
    one = language.one((found[0].shape, found[0].colour))
    question = _question(rng, language, "which_shape", colour=colour)
    answer = f"{one[0].upper()}{one[1:]}."
    return Turn("what_at", question, answer, found[0], name=colour, found=tuple(found))


def thing_in_place(thing: Drawn, language: Language) -> str:
    """Give a shape and its place, as a description has them."""
    key = "thing_middle" if thing.place == MIDDLE else "thing_at"
    one = language.one((thing.shape, thing.colour))
    return language.answers[key].format(one=one, place=language.places[thing.place])


def describe(scene: Scene, language: Language) -> str:
    """Give the one description of a drawn scene in a language."""
    answers = language.answers
    if scene.kind == "text":
        key = "number_in" if scene.text.isdigit() else "word_in"
        return answers[key].format(text=scene.text, colour=language.colours[scene.text_colour])
    if not scene.things:
        return answers["empty"]
    parts = [thing_in_place(thing, language) for thing in scene.things]
    text = answers["comma"].join(parts[:-1]) + (answers["and"] if parts[1:] else "") + parts[-1]
    return text[0].upper() + text[1:] + answers["stop"]


def ask_describe(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give what the whole picture shows."""
    about = scene.things[0] if len(scene.things) == 1 else None
    parts = tuple((thing_in_place(thing, language), (thing,)) for thing in scene.things)
    question = _question(rng, language, "describe")
    return Turn("describe", question, describe(scene, language), about, parts=parts)


def ask_read(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give the word or number in the picture, or that there is none."""
    what = "number" if scene.text.isdigit() else "word"
    if not scene.text:
        what = rng.choice(("number", "word"))
    answer = language.answers["read" if scene.text else "no_text"].format(text=scene.text)
    question = _question(rng, language, "read", what=what)
    if not scene.text and "text" not in question and "say" not in question:
        return None
    return Turn("read" if scene.text else "exist", question, answer)


def ask_text_colour(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give the colour of the writing, or whether it is a number or a word."""
    if not scene.text:
        return None
    what = "number" if scene.text.isdigit() else "word"
    if language.code == "en" and rng.random() < 0.25:
        return Turn("read", _question(rng, language, "text_kind"), language.answers[what])
    question = _question(rng, language, "text_colour", what=what)
    return Turn("colour", question, _colour(language, scene.text_colour))


def box_units(box: Box) -> list[int]:
    """Give a box in thousandths of width and height, each rounded to ten."""
    steps = BOX_UNITS // BOX_STEP
    return [BOX_STEP * min(steps, max(0, round(edge * steps))) for edge in box]


def _boxed(thing: Drawn) -> str:
    return json.dumps({"bbox_2d": box_units(thing.box), "label": thing.name})


def grounding(things: Sequence[Drawn]) -> str:
    """Give a fenced JSON list with the boxes of some shapes, as Qwen3-VL writes them."""
    return f"```json\n[{', '.join(_boxed(thing) for thing in things)}]\n```"


def ask_box(rng: random.Random, scene: Scene, language: Language) -> Turn | None:
    """Give the box of a shape, of the few that fit, or that there is none; English only."""
    if language.code != "en":
        return None
    if 1 <= len(scene.things) <= 2 and rng.random() < 0.1:
        question = _question(rng, language, "box_all")
        parts = tuple((_boxed(thing), (thing,)) for thing in scene.things)
        return Turn("box", question, grounding(scene.things), parts=parts)
    target = pick_target(rng, scene)
    found = matching(scene, target)
    if len(found) > 2 or (not found and rng.random() < 0.7):
        return None
    name = language.name(target)
    question = _question(rng, language, "box", the=name)
    if not found:
        return Turn("exist", question, _absent(language, target), name=name, found=())
    about = found[0] if len(found) == 1 else None
    parts = tuple((_boxed(thing), (thing,)) for thing in found)
    answer = grounding(found)
    return Turn("box", question, answer, about, name=name, found=tuple(found), parts=parts)


def follow_up(rng: random.Random, scene: Scene, language: Language, last: Turn) -> Turn | None:
    """Give a question that only the turn before makes clear; None where there is none."""
    if last.about is not None and rng.random() < 0.6:
        is_colour = rng.random() < 0.55
        question = _question(rng, language, "colour_it" if is_colour else "where_it")
        answer = _property(language, last.about, "colour" if is_colour else "where")
        return Turn("follow_up", question, answer, last.about, found=(last.about,))
    if language.code == "zh" or not last.follow:
        return None
    target = (rng.choice(SHAPES), None)
    if scene.things and rng.random() < 0.8:
        target = (rng.choice(scene.things).shape, None)
    found = tuple(matching(scene, target))
    if last.follow == "count":
        many = language.many(target)
        question = _question(rng, language, "and_many", many=many)
        answer = language.answers["count"].format(number=language.numbers[len(found)])
        return Turn("follow_up", question, answer, follow="count", name=many, found=found)
    if len(found) > 1:
        return None
    name = language.name(target)
    question = _question(rng, language, "and_target", the=name)
    about = found[0] if found else None
    answer = _property(language, about, last.follow) if about else _absent(language, target)
    return Turn("follow_up", question, answer, about, last.follow, name, found)


def _property(language: Language, thing: Drawn, name: str) -> str:
    return _colour(language, thing.colour) if name == "colour" else _place(language, thing.place)


def ask_first(rng: random.Random, first_question: str) -> Turn:
    """Give what was asked first, to be answered from the conversation itself."""
    answer = ENGLISH.answers["first"].format(question=first_question)
    return Turn("first", _question(rng, ENGLISH, "first"), answer)


Asker = Callable[[random.Random, Scene, Language], Turn | None]
ASKERS: Final[dict[str, tuple[tuple[Asker, float], ...]]] = {
    "shapes": (
        (ask_count, 0.12),
        (ask_colour, 0.15),
        (ask_where, 0.16),
        (ask_what_at, 0.13),
        (ask_exist, 0.12),
        (ask_which_shape, 0.03),
        (ask_describe, 0.12),
        (ask_box, 0.16),
        (ask_read, 0.01),
    ),
    "text": (
        (ask_read, 0.45),
        (ask_describe, 0.25),
        (ask_text_colour, 0.18),
        (ask_count, 0.05),
        (ask_exist, 0.05),
        (ask_what_at, 0.0),
    ),
    "empty": (
        (ask_describe, 0.4),
        (ask_count, 0.2),
        (ask_exist, 0.2),
        (ask_what_at, 0.1),
        (ask_where, 0.05),
        (ask_colour, 0.05),
    ),
}


def ask(rng: random.Random, scene: Scene, language: Language) -> Turn:
    """Any question about a scene; about a photograph the answer is always the refusal."""
    kind = scene.kind
    if kind == "photo":
        kind = rng.choice(("shapes", "text"))
    askers, weights = zip(*ASKERS[kind], strict=True)
    while True:
        asker: Asker = rng.choices(askers, weights)[0]
        turn = asker(rng, scene, language)
        if turn is not None and scene.kind == "photo":
            return Turn("photo", turn.question, REFUSAL)
        if turn is not None:
            return turn


LANGUAGES: Final = {"en": ENGLISH, "zh": CHINESE}
