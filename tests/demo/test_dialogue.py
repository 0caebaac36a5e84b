"""The fast training path says and computes what the stock processor and model do."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from inference.demo import WEIGHTS_DIR
from inference.demo.dialogue import Encoder, TextBatch, converse, encode
from inference.demo.drawing import draw_scene
from inference.demo.evaluate import Examinee
from inference.demo.joint_stage import answer_logits
from inference.demo.network import GridPlan, patchify, vision_features

SIZES = [(128, 128), (128, 96), (96, 128)]


@pytest.fixture(scope="module")
def examinee() -> Examinee:
    return Examinee(WEIGHTS_DIR)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_fast_patches_equal_the_image_processor(examinee: Examinee, size: tuple[int, int]) -> None:
    _, image = draw_scene(7, 1, kind="shapes", size=size)

    wanted = examinee.processor.image_processor(images=image, return_tensors="pt")["pixel_values"]

    frames = wanted.view(len(wanted), 3, 2, 256)
    fast = torch.from_numpy(patchify(image)).float().view(len(wanted), 3, 256) / 127.5 - 1.0
    assert torch.equal(frames[:, :, 0], frames[:, :, 1])
    torch.testing.assert_close(fast, frames[:, :, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("pictures", [0, 1, 2])
def test_fast_pass_equals_the_model(
    examinee: Examinee, size: tuple[int, int], pictures: int
) -> None:
    drawn = [draw_scene(7, index, size=size) for index in range(3)]
    encoder = Encoder(examinee.processor.tokenizer)
    scenes = [(index, drawn[index][0]) for index in range(pictures)]
    talk = converse(random.Random(pictures), scenes, encoder, 120)
    messages: list[dict[str, Any]] = []
    if talk.system:
        messages.append({"role": "system", "content": talk.system})
    for exchange in talk.exchanges:
        parts: list[dict[str, Any]] = [{"type": "text", "text": exchange.turn.question}]
        if exchange.picture is not None:
            parts.insert(0, {"type": "image", "image": drawn[exchange.picture][1]})
        messages.append({"role": "user", "content": parts})
        messages.append({"role": "assistant", "content": exchange.turn.answer})

    inputs: Any = examinee.processor.apply_chat_template(
        messages,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_vision_id=talk.numbered,
    )
    encoded = encode(encoder, talk, lambda _: size)
    batch = TextBatch([encoded], encoder)
    patches = np.stack([patchify(image) for _, image in drawn])
    visual = examinee.model.model.visual
    with torch.no_grad():
        wanted = examinee.model(**inputs).logits[0, batch.answer_spots]
        pixels = torch.from_numpy(patches).float() / 127.5 - 1.0
        merged, deep = vision_features(visual, pixels, GridPlan(size, visual))
        logits = answer_logits(examinee.model, batch, merged, deep)

    assert inputs["input_ids"][0].tolist() == encoded.ids
    torch.testing.assert_close(logits, wanted, atol=2e-3, rtol=1e-3)
