"""The taught gazes point at what a question names, and their loss rewards looking there."""

import random

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from inference.demo import WEIGHTS_DIR
from inference.demo.dialogue import Conversation, Encoded, Encoder, Exchange, encode
from inference.demo.drawing import Drawn, Scene
from inference.demo.gaze import TAUGHT, Gaze, GazeKind, GazeLoss, GazeTargets, cells_of
from inference.demo.languages import ENGLISH
from inference.demo.questions import ask_box, ask_first, follow_up
from inference.demo.turns import Turn

STAR = Drawn("star", "red", "top left", (0.02, 0.02, 0.2, 0.2))
RING = Drawn("ring", "blue", "bottom right", (0.55, 0.55, 0.95, 0.95))
SCENE = Scene("shapes", (128, 128), (STAR, RING))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder(PreTrainedTokenizerFast.from_pretrained(WEIGHTS_DIR))


def encode_turns(encoder: Encoder, *turns: Turn) -> Encoded:
    exchanges = [Exchange(turn, None if number else 0) for number, turn in enumerate(turns)]
    return encode(encoder, Conversation(exchanges), lambda _: SCENE.size)


def where(thing: Drawn | None, name: str) -> Turn:
    found = (thing,) if thing else ()
    return Turn("where", f"where is the {name}?", "At the corner.", thing, "where", name, found)


def gazes_of(encoded: Encoded, kind: str) -> list[Gaze]:
    return [gaze for gaze in encoded.gazes if gaze.kind == kind]


def test_small_shape_covers_one_cell_and_a_large_one_four() -> None:
    assert cells_of(STAR.box, 4, 4) == [0]
    assert cells_of(RING.box, 4, 4) == [10, 11, 14, 15]


def test_name_looks_at_the_cells_of_what_it_names(encoder: Encoder) -> None:
    encoded = encode_turns(encoder, where(STAR, "red star"))

    (gaze,) = gazes_of(encoded, "look_up")
    assert encoder.ids(" star") == [encoded.ids[gaze.at]]
    assert gaze.on == (encoded.cells,)


def test_absent_name_looks_at_the_mark_behind_the_picture(encoder: Encoder) -> None:
    encoded = encode_turns(encoder, where(None, "cross"))

    (gaze,) = gazes_of(encoded, "look_up")
    assert [encoded.ids[place] for place in gaze.on] == [encoder.vision_end]


def test_it_refers_to_the_name_before(encoder: Encoder) -> None:
    first = where(STAR, "star")
    chances = (follow_up(random.Random(seed), SCENE, ENGLISH, first) for seed in range(50))
    second = next(turn for turn in chances if turn is not None and not turn.name)

    encoded = encode_turns(encoder, first, second)

    (name,) = gazes_of(encoded, "look_up")
    assert {gaze.on for gaze in gazes_of(encoded, "refer")} == {(name.at,)}


def test_repeated_question_looks_at_the_word_to_come(encoder: Encoder) -> None:
    question = where(STAR, "star")

    encoded = encode_turns(encoder, question, ask_first(random.Random(1), question.question))

    copies = gazes_of(encoded, "copy")
    assert len(copies) > 3
    for gaze in copies:
        assert [encoded.ids[place] for place in gaze.on] == [encoded.ids[gaze.at + 1]]


def test_each_box_looks_at_its_own_shape(encoder: Encoder) -> None:
    chances = (ask_box(random.Random(seed), SCENE, ENGLISH) for seed in range(200))
    turn = next(turn for turn in chances if turn is not None and len(turn.parts) == 2)

    encoded = encode_turns(encoder, turn)

    on = [gaze.on for gaze in gazes_of(encoded, "tell")]
    assert set(on) == {encoded.cells_of([STAR]), encoded.cells_of([RING])}
    assert on == sorted(on)


@pytest.mark.parametrize("kind", TAUGHT)
def test_loss_falls_when_the_taught_heads_look_there(kind: GazeKind) -> None:
    layer, heads = TAUGHT[kind]
    targets = GazeTargets([[Gaze(kind, 5, (2,))]], 8)
    queries, keys = torch.zeros(1, 6, 8, 4), torch.zeros(1, 2, 8, 4)
    keys[:, :, 2, 0] = 10.0
    queries[:, list(heads), 5, 0] = 10.0

    looking, idle = GazeLoss(targets), GazeLoss(targets)
    looking(layer, queries, keys)
    idle(layer, torch.zeros_like(queries), keys)

    assert looking.total.item() < 1e-3
    assert idle.total.item() == pytest.approx(torch.log(torch.tensor(6.0)).item())


def test_other_layers_are_not_taught() -> None:
    loss = GazeLoss(GazeTargets([[Gaze("look_up", 5, (2,))]], 8))

    loss(0, torch.randn(1, 6, 8, 4), torch.randn(1, 2, 8, 4))

    assert loss.total.item() == 0.0
