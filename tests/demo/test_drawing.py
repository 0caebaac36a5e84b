"""Pictures of the demo world: the same for the same seed, and as their scenes say."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.demo.drawing import (
    COLOURS,
    CORNERS,
    EXAMPLES,
    GRIDS,
    MIDDLE,
    SHAPES,
    Drawn,
    Kind,
    draw_plan,
    draw_scene,
    main,
)


def _centre(thing: Drawn) -> tuple[float, float]:
    left, top, right, bottom = thing.box
    return (left + right) / 2, (top + bottom) / 2


@pytest.mark.parametrize("kind", ["shapes", "text", "empty"])
def test_same_seed_and_index_give_the_same_picture(kind: Kind) -> None:
    first, again = draw_scene(3, 14, kind=kind), draw_scene(3, 14, kind=kind)

    assert first[0] == again[0]
    assert first[1].tobytes() == again[1].tobytes()


def test_other_index_gives_another_picture() -> None:
    assert draw_scene(3, 14, kind="shapes")[0] != draw_scene(3, 15, kind="shapes")[0]


def test_pictures_have_a_size_that_the_processor_yields() -> None:
    sizes = {draw_scene(5, index)[1].size for index in range(40)}

    assert sizes <= set(GRIDS)


def test_pasted_pictures_are_larger_than_the_processor_lets_through() -> None:
    _, image = draw_scene(5, 1, kind="shapes", pasted=True)

    assert image.width * image.height > 128 * 128


@pytest.mark.parametrize("index", range(12))
def test_every_shape_lies_where_its_place_says(index: int) -> None:
    scene, _ = draw_scene(11, index, kind="shapes")

    for thing in scene.things:
        x, y = _centre(thing)
        if thing.place == MIDDLE:
            assert abs(x - 0.5) < 0.12
            assert abs(y - 0.5) < 0.12
        else:
            assert ("right" in thing.place) == (x > 0.5)
            assert ("bottom" in thing.place) == (y > 0.5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour", COLOURS)
def test_planned_shape_has_its_colour(shape: str, colour: str) -> None:
    pixels = np.asarray(draw_plan((200, 200), [(colour, shape, MIDDLE)], r=0.4))
    drawn = pixels[(pixels != 255).any(-1)]

    assert len(drawn) > 1000
    assert (drawn == COLOURS[colour][0]).all(-1).mean() > 0.95


def test_empty_sheet_has_no_shapes_and_no_text() -> None:
    scene, _ = draw_scene(1, 1, kind="empty")

    assert (scene.things, scene.text) == ((), "")


def test_text_has_a_box_for_each_letter() -> None:
    scene, _ = draw_scene(1, 2, kind="text")

    assert len(scene.letters) == len(scene.text) > 0


def test_several_shapes_stand_in_corners_of_their_own() -> None:
    scenes = [draw_scene(2, index, kind="shapes")[0] for index in range(30)]
    crowded = next(scene for scene in scenes if len(scene.things) == 4)

    assert [thing.place for thing in crowded.things] == list(CORNERS)


def test_command_writes_the_example_pictures(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]

    main([str(path) for path in paths])

    sizes = []
    for path in paths[:2]:
        with Image.open(path) as image:
            sizes.append(image.size)
    assert sizes == [size for size, _ in EXAMPLES]
