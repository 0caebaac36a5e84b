"""What a client without a socket is told about this server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chat.generation.info import info_frame
from tests.chat.api.conftest import browser_of, code_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def test_it_is_the_first_frame_of_a_socket(alice: User) -> None:
    response = browser_of(alice).get("/api/info/")

    frame = info_frame().as_dict()
    del frame["type"]
    assert (response.status_code, response.json()) == (200, frame)


def test_nobody_is_told_to_sign_in(db: None) -> None:
    assert code_of(browser_of(None).get("/api/info/")) == "unauthenticated"
