"""How often: by person and by address, and what is told to who is too fast."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from chat import rate_limits
from chat.errors import ChatError, ErrorCode
from chat.rate_limits import TURNS, UPLOADS, Caller, RateLimits, network_of, spend_turn
from tests.chat.api.conftest import browser_of, code_of
from tests.chat.conftest import connected, png

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoCaptureOnCommitCallbacks
    from pytest_django.fixtures import SettingsWrapper

    from tests.chat.conftest import Stage

HERE, ELSEWHERE = "203.0.113.9", "198.51.100.1"
ALICE, BOB = Caller(1, HERE), Caller(2, HERE)


@pytest.fixture(autouse=True)
def limits(settings: SettingsWrapper, monkeypatch: pytest.MonkeyPatch) -> RateLimits:
    """Let a person ask three times and upload twice a minute, an address four times each."""
    settings.VL_PERSON_TURNS_PER_MINUTE, settings.VL_ADDRESS_TURNS_PER_MINUTE = 3, 4
    settings.VL_PERSON_UPLOADS_PER_MINUTE, settings.VL_ADDRESS_UPLOADS_PER_MINUTE = 2, 4
    fresh = RateLimits("")
    monkeypatch.setattr(rate_limits, "rate_limits", lambda: fresh)
    return fresh


def spend(limits: RateLimits, caller: Caller, times: int) -> int:
    """Ask so many times; give how many were let through."""
    passed = 0
    for _ in range(times):
        try:
            limits.spend(TURNS, caller)
        except ChatError:
            continue
        passed += 1
    return passed


def test_a_person_may_so_often_and_no_oftener(limits: RateLimits) -> None:
    assert spend(limits, ALICE, 5) == 3


def test_people_at_one_address_share_its_limit(limits: RateLimits) -> None:
    assert (spend(limits, ALICE, 3), spend(limits, BOB, 3)) == (3, 1)


def test_another_address_has_a_limit_of_its_own(limits: RateLimits) -> None:
    spend(limits, ALICE, 3)

    assert spend(limits, Caller(2, ELSEWHERE), 3) == 3


def test_another_address_does_not_help_the_same_person(limits: RateLimits) -> None:
    spend(limits, ALICE, 3)

    assert spend(limits, Caller(ALICE.person_id, ELSEWHERE), 3) == 0


def test_turns_and_uploads_are_counted_apart(limits: RateLimits) -> None:
    spend(limits, ALICE, 3)

    limits.spend(UPLOADS, ALICE)


def test_zero_is_no_limit(limits: RateLimits, settings: SettingsWrapper) -> None:
    settings.VL_PERSON_TURNS_PER_MINUTE = settings.VL_ADDRESS_TURNS_PER_MINUTE = 0

    assert spend(limits, ALICE, 50) == 50


@pytest.mark.django_db
def test_of_a_deleted_account_nothing_is_counted_any_more(
    limits: RateLimits,
    alice: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    person, other = Caller(alice.pk, HERE), Caller(alice.pk + 1, ELSEWHERE)
    spend(limits, person, 3)
    spend(limits, other, 3)

    with django_capture_on_commit_callbacks(execute=True):
        alice.delete()

    assert spend(limits, Caller(person.person_id, "192.0.2.1"), 3) == 3
    assert spend(limits, other, 1) == 0


def test_who_is_refused_learns_when_to_come_back(limits: RateLimits) -> None:
    spend(limits, ALICE, 3)

    with pytest.raises(ChatError) as caught:
        limits.spend(TURNS, ALICE)

    assert caught.value.code == ErrorCode.RATE_LIMITED
    assert caught.value.retry_after_s is not None
    assert 1 <= caught.value.retry_after_s <= 60


def test_pictures_in_a_frame_count_as_uploads() -> None:
    spend_turn(ALICE, ["data:image/png;base64,x", "0b5c9d16-0000-4000-8000-000000000000"])
    spend_turn(ALICE, ["data:image/png;base64,x"])

    with pytest.raises(ChatError):
        spend_turn(ALICE, ["data:image/png;base64,x"])


def test_more_pictures_than_a_minutes_worth_are_let_through_once() -> None:
    spend_turn(ALICE, ["data:,"] * 3)

    with pytest.raises(ChatError):
        spend_turn(ALICE, ["data:,"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("2001:db8::1", "2001:db8::ffff:1", id="an IPv6 address of the same /64"),
        pytest.param("", "/run/socket", id="what has no address"),
    ],
)
def test_what_counts_as_one_address(one: str, other: str) -> None:
    assert network_of(one) == network_of(other)


@pytest.mark.parametrize(
    "other", ["203.0.113.10", "2001:db8:0:1::1", "unknown"], ids=["IPv4", "IPv6", "none"]
)
def test_what_counts_as_another_address(other: str) -> None:
    assert len({network_of(HERE), network_of(other), network_of("2001:db8::1")}) == 3


# At the edges -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/conversations/"])
def test_asking_too_often_over_http_is_told_so(stage: Stage, alice: User, path: str) -> None:
    browser = browser_of(alice)
    question = {"text": "What is this?"}
    answers = [
        browser.post(path, question, content_type="application/json", REMOTE_ADDR=HERE)
        for _ in range(4)
    ]

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert code_of(answers[-1]) == "rate_limited"
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


@pytest.mark.parametrize("call", ["regenerate", "continue"])
def test_other_ways_to_start_a_turn_count_too(alice: User, call: str, limits: RateLimits) -> None:
    spend(limits, Caller(alice.pk, HERE), 3)
    path = f"/api/replies/0b5c9d16-0000-4000-8000-000000000000/{call}/"

    answer = browser_of(alice).post(path, {}, content_type="application/json", REMOTE_ADDR=HERE)

    assert code_of(answer) == "rate_limited"


def test_editing_counts_too(alice: User, limits: RateLimits) -> None:
    spend(limits, Caller(alice.pk, HERE), 3)
    path = "/api/messages/0b5c9d16-0000-4000-8000-000000000000/edit/"

    answer = browser_of(alice).post(path, {}, content_type="application/json", REMOTE_ADDR=HERE)

    assert code_of(answer) == "rate_limited"


def test_uploading_too_often_is_told_so(alice: User) -> None:
    browser = browser_of(alice)
    codes = [
        browser.post(
            "/api/images/", {"file": SimpleUploadedFile("p.png", png())}, REMOTE_ADDR=HERE
        ).status_code
        for _ in range(3)
    ]

    assert codes == [201, 201, 429]


async def test_asking_too_often_on_a_socket_is_told_so(stage: Stage, alice: User) -> None:
    async with connected(alice) as socket:
        for _ in range(3):
            assert (await socket.ask("What is this?"))["type"] == "accepted"
        refused = await socket.ask("And this?", id="0b5c9d16-0000-4000-8000-000000000000")

    assert (refused["code"], refused["id"]) == (
        "rate_limited",
        "0b5c9d16-0000-4000-8000-000000000000",
    )
    assert refused["retry_after_s"] >= 1
