"""Positions and angles are those of transformers, to the last bit where nothing is summed."""

from __future__ import annotations

import pytest
import torch

from inference.engine.rope import (
    MOST_TABLE_POSITIONS,
    PatchGrid,
    TextRotary,
    as_tensor,
    patch_positions,
    prompt_positions,
    vision_angles,
)
from tests.inference.engine.conftest import Twins
from tests.inference.engine.twins import END, IMAGE, START, reference_inputs

MERGE = 2
GRIDS = [
    pytest.param(PatchGrid(4, 4), id="square"),
    pytest.param(PatchGrid(2, 14), id="wide"),
    pytest.param(PatchGrid(22, 6), id="high"),
    pytest.param(PatchGrid(2, 2), id="one-token"),
]


def picture_ids(grid: PatchGrid) -> list[int]:
    return [START, *([IMAGE] * grid.tokens(MERGE)), END]


def thw(grid: PatchGrid) -> torch.Tensor:
    return torch.tensor([[1, grid.rows, grid.columns]])


@pytest.mark.reference
@pytest.mark.parametrize(
    "parts",
    [
        pytest.param((6,), id="text"),
        pytest.param((4, (4, 6), 5), id="one-picture"),
        pytest.param(((8, 2), 3, (2, 12), (4, 4), 7), id="three-pictures"),
    ],
)
def test_prompt_has_the_positions_of_transformers(
    tied: Twins, parts: tuple[int | tuple[int, int], ...]
) -> None:
    prompt = tied.prompts().draw(*parts)
    inputs = reference_inputs(tied.shape, prompt)
    ids = inputs["input_ids"]
    kinds = inputs.get("mm_token_type_ids", torch.zeros_like(ids))
    expected, delta = tied.reference.model.get_rope_index(ids, kinds, inputs.get("image_grid_thw"))

    positions = prompt_positions(prompt.token_ids, prompt.grids, image_token_id=IMAGE, merge=MERGE)

    assert torch.equal(positions.values, expected[:, 0])
    assert positions.next_position == ids.shape[1] + int(delta)


def test_piece_goes_on_where_the_one_before_ended() -> None:
    first, second = PatchGrid(4, 8), PatchGrid(6, 2)
    before, after = [11, *picture_ids(first), 12], [13, 14, *picture_ids(second), 15]
    whole = prompt_positions(before + after, [first, second], image_token_id=IMAGE, merge=MERGE)
    start = prompt_positions(before, [first], image_token_id=IMAGE, merge=MERGE)

    rest = prompt_positions(
        after,
        [second],
        image_token_id=IMAGE,
        merge=MERGE,
        first_position=start.next_position,
    )

    assert torch.equal(rest.values, whole.slice(len(before), len(before + after)))
    assert rest.next_position == whole.next_position


def test_image_token_behind_the_last_picture_is_text() -> None:
    grid = PatchGrid(2, 4)
    ids = [*picture_ids(grid), IMAGE, IMAGE, 11]

    positions = prompt_positions(ids, [grid], image_token_id=IMAGE, merge=MERGE)

    assert positions.values[:, -3:].tolist() == [[4, 5, 6]] * 3
    assert positions.next_position == 7


@pytest.mark.parametrize(
    ("ids", "grid"),
    [
        pytest.param([11, 12], PatchGrid(2, 2), id="no-image-token"),
        pytest.param([START, IMAGE, END], PatchGrid(2, 4), id="too-few"),
        pytest.param([IMAGE, 11, IMAGE], PatchGrid(2, 4), id="interrupted"),
        pytest.param([START, IMAGE, END], PatchGrid(0, 4), id="empty-grid"),
    ],
)
def test_picture_without_its_image_tokens_is_refused(ids: list[int], grid: PatchGrid) -> None:
    with pytest.raises(ValueError, match="picture 0"):
        prompt_positions(ids, [grid], image_token_id=IMAGE, merge=MERGE)


@pytest.mark.reference
def test_text_angles_are_those_of_transformers(twins: Twins) -> None:
    positions = torch.stack([torch.arange(n, n + 50) * 3 for n in (0, 7, 900)])
    expected = twins.reference.model.language_model.rotary_emb(torch.zeros(1), positions[:, None])

    cos, sin = TextRotary(twins.shape.text).angles(positions)

    assert torch.equal(cos, expected[0][0])
    assert torch.equal(sin, expected[1][0])


@pytest.mark.parametrize(
    "ranges",
    [
        [range(5, 6)],
        [range(1), range(900, 906)],
        [range(1023, 1030)],
        [range(MOST_TABLE_POSITIONS, MOST_TABLE_POSITIONS + 1)],
    ],
    ids=["one", "several", "across a step of the table", "behind the table"],
)
def test_angles_of_written_tokens_are_the_same_to_the_bit(
    twins: Twins, ranges: list[range]
) -> None:
    rotary = TextRotary(twins.shape.text)

    cos, sin = rotary.angles_of(ranges)

    expected = rotary.angles(torch.cat([as_tensor(own) for own in ranges], dim=1))
    assert torch.equal(cos, expected[0])
    assert torch.equal(sin, expected[1])


def test_angles_of_read_and_written_tokens_stand_one_after_another(twins: Twins) -> None:
    rotary = TextRotary(twins.shape.text)
    read = torch.tensor([[4, 4], [5, 5], [6, 7]])

    cos, _ = rotary.angles_of([range(3, 4), read])

    assert torch.equal(cos[:1], rotary.angles_of([range(3, 4)])[0])
    assert torch.equal(cos[1:], rotary.angles(read)[0])


@pytest.mark.reference
@pytest.mark.parametrize("grid", GRIDS)
def test_patch_angles_are_those_of_transformers(twins: Twins, grid: PatchGrid) -> None:
    from transformers.vision_utils import get_vision_position_ids  # shim first, as in twins

    places = get_vision_position_ids(thw(grid), MERGE)
    expected = twins.reference.model.visual.rotary_pos_emb(torch.zeros(1), places)

    cos, sin = vision_angles(grid, head_dim=twins.shape.vision.head_dim, merge=MERGE)

    assert torch.equal(cos, expected[0])
    assert torch.equal(sin, expected[1])


@pytest.mark.reference
@pytest.mark.parametrize("grid", GRIDS)
def test_learnt_positions_are_stretched_as_in_transformers(twins: Twins, grid: PatchGrid) -> None:
    from transformers.vision_utils import get_vision_interpolation_indices_and_weights

    table = twins.reference.model.visual.pos_embed.weight.detach()
    indices, weights = get_vision_interpolation_indices_and_weights(
        thw(grid), round(len(table) ** 0.5), align_corners=True, spatial_merge_size=MERGE
    )
    expected = (table[indices] * weights[:, :, None]).sum(1)

    stretched = patch_positions(table, grid, merge=MERGE)

    assert torch.allclose(stretched, expected, atol=1e-6)


@pytest.mark.parametrize(
    "grid",
    [
        pytest.param(PatchGrid(3, 4), id="odd-rows"),
        pytest.param(PatchGrid(4, 5), id="odd-columns"),
        pytest.param(PatchGrid(0, 4), id="empty"),
    ],
)
def test_grid_of_broken_blocks_is_refused(grid: PatchGrid) -> None:
    with pytest.raises(ValueError, match="whole blocks of 2 by 2"):
        vision_angles(grid, head_dim=32, merge=MERGE)
