"""The whole corpus through confined processes: a picture or the right refusal, and nothing left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PIL import Image

from chat.decoding import picture as picture_module
from chat.decoding.decoder import Decoder
from chat.decoding.picture import DecodedPicture
from chat.errors import ChatError
from tests.chat.decoding import forged_files as forged
from tests.chat.decoding.hostile_corpus import PICTURE, UNREADABLE, Case, cases
from tests.chat.decoding.picture_corpus import SECRET, encoded
from tests.chat.decoding.test_picture import assert_drawn, decoded, refusal

SEED = 7
MUTATIONS = 60
CASES = list(cases(SEED, MUTATIONS))


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    decoder = Decoder()
    yield decoder
    decoder.close()


def taken(decoder: Decoder, case: Case) -> tuple[str, DecodedPicture | None]:
    """Decode the case; give what came of it."""
    try:
        return PICTURE, decoder.decode(case.make())
    except ChatError as refused:
        return refused.code, None


def assert_clean(picture: DecodedPicture) -> None:
    """Check that nothing is left but pixels, in the picture and in its thumbnail."""
    for out in (picture.content, picture.thumbnail):
        assert SECRET not in out
        assert forged.unneeded_bytes(out) == 0


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_upload_gets_a_clean_picture_or_the_right_refusal(
    decoder: Decoder, case: Case
) -> None:
    outcome, picture = taken(decoder, case)

    assert outcome in case.outcomes
    if picture is not None:
        assert_clean(picture)
        if case.is_drawn:
            assert_drawn(picture)


def test_the_fork_server_outlives_the_corpus(decoder: Decoder) -> None:
    decoder.decode(CASES[0].make())
    server = decoder.pid

    outcomes = {taken(decoder, case)[0] for case in CASES if case.name.startswith("mutant")}

    assert UNREADABLE in outcomes
    assert decoder.pid == server


def test_secrets_are_in_the_files_to_begin_with() -> None:
    """Guard the corpus: that no secret comes out proves nothing where none went in."""
    planted = [case for case in CASES if case.name.startswith("secret")]

    # One is compressed, beside another that is not.
    assert [case.name for case in planted if SECRET not in case.make()] == []
    assert len(planted) > 30


def test_a_corpus_comes_from_its_seed() -> None:
    first, again, other = (
        [case.make() for case in cases(seed, 5) if case.name.startswith("mutant")]
        for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("scans", "outcome"),
    [
        pytest.param(picture_module.MAX_JPEG_SCANS - 5, PICTURE, id="as-many-as-allowed"),
        pytest.param(picture_module.MAX_JPEG_SCANS - 4, UNREADABLE, id="one-more"),
    ],
)
def test_scans_of_a_jpeg_are_counted_before_they_are_read(scans: int, outcome: str) -> None:
    # A grey one has five scans before the last, which is repeated.
    content = forged.jpeg_of_many_scans(64, scans)

    if outcome == PICTURE:
        assert decoded(content).width_px == 64
    else:
        assert refusal(content) == outcome


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(b"\xff\x01\xff\xff", id="in-what-has-no-length"),
        pytest.param(b"\xff\xff", id="behind-fill-bytes"),
        pytest.param(b"\x00\x07", id="behind-rubbish"),
    ],
)
def test_scans_cannot_be_hidden_from_the_count(hidden: bytes) -> None:
    content = forged.jpeg_of_many_scans(64, 100)
    at = content.index(forged.START_OF_SCAN)

    assert refusal(content[:at] + hidden + content[at:]) == UNREADABLE


def test_scans_of_later_pictures_are_not_counted() -> None:
    """A phone's file holds a preview and a film behind the picture."""
    scans = forged.jpeg_of_many_scans(64, 200)

    assert decoded(encoded(Image.new("L", (64, 64)), "JPEG") + scans).width_px == 64


def test_what_is_unneeded_is_counted() -> None:
    """Guard the inspector: it must find what the decoder is praised for removing."""
    noticed = {
        "JPEG": {"comment": SECRET, "exif": b"Exif\0\0" + SECRET},
        "PNG": {"icc_profile": SECRET},
        "WEBP": {"exif": b"Exif\0\0" + SECRET},
    }
    for kind, options in noticed.items():
        content = encoded(Image.new("RGB", (8, 8)), kind, **options)
        assert forged.unneeded_bytes(content) >= len(SECRET), kind
    assert forged.unneeded_bytes(encoded(Image.new("RGB", (8, 8)), "PNG") + SECRET) == len(SECRET)
