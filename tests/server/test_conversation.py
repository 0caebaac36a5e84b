"""A real server and real clients: people ask, and nobody else hears it."""

from __future__ import annotations

import threading
from time import monotonic

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus

from inference.testing import draw_png
from tests.server.people import Person, data_url
from tests.server.processes import ADMINISTRATOR, Product

RED = draw_png(64, 64, (220, 40, 40))


def test_the_minimal_client_sends_one_frame_and_reads_the_answer(alice: Person) -> None:
    with alice.connect() as socket:
        first = socket.receive()
        accepted = socket.ask("What is this?", image=data_url(RED))
        text, final = socket.read_reply(accepted["reply"])

    assert (first["type"], first["model"]) == ("info", "scripted")
    assert final["content"] == text
    assert "with 1 pictures (64x64)" in text


def test_a_picture_is_uploaded_over_http_and_then_asked_about(alice: Person) -> None:
    image_id = alice.upload(RED)
    with alice.connect() as socket:
        text = socket.answer("What is this?", images=[image_id])

    assert "with 1 pictures (64x64)" in text


def test_a_second_turn_knows_the_first(alice: Person) -> None:
    with alice.connect() as socket:
        accepted = socket.ask("My first question")
        socket.read_reply(accepted["reply"])
        text = socket.answer("And then?", conversation=accepted["conversation"])

    assert "You asked first: 'My first question'" in text


def test_two_people_at_once_hear_their_own_answers_alone(alice: Person, bob: Person) -> None:
    heard: dict[str, list[str]] = {"alice": [], "bob": []}

    def talk(person: Person, name: str) -> None:
        with person.connect() as socket:
            heard[name] = [socket.answer(f"{name} asks {number}") for number in range(5)]

    threads = [
        threading.Thread(target=talk, args=pair) for pair in ((alice, "alice"), (bob, "bob"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert [f"alice asks {n}" in text for n, text in enumerate(heard["alice"])] == [True] * 5
    assert [f"bob asks {n}" in text for n, text in enumerate(heard["bob"])] == [True] * 5


def test_the_administrator_of_the_environment_can_sign_in(product: Product) -> None:
    carol = Person(product.url).sign_in(ADMINISTRATOR)

    response = carol.http.get(f"{product.url}/admin/", timeout=20)

    assert response.status_code == 200
    assert "/admin/login/" not in response.url


# Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_another_sites_page_is_refused_with_403(alice: Person, origin: str) -> None:
    with pytest.raises(InvalidStatus) as caught, alice.connect(origin=origin):
        pass

    assert caught.value.response.status_code == 403


def test_a_stranger_is_told_and_closed_with_4401(product: Product) -> None:
    with Person(product.url).connect() as socket:
        error = socket.receive()
        with pytest.raises(ConnectionClosed) as caught:
            socket.receive()

    assert error["code"] == "unauthenticated"
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401


def test_a_frame_of_two_mebibytes_is_closed_with_1009(alice: Person) -> None:
    with alice.connect() as socket:
        socket.send(type="message", text="x" * 2 * 2**20)
        with pytest.raises(ConnectionClosed) as caught:
            socket.read_to_the_end()

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


def test_strange_characters_in_a_heartbeat_do_not_end_the_socket(alice: Person) -> None:
    with alice.connect() as socket:
        socket.send(type="ping", t="\ud800")

        assert socket.until("pong")["t"] == "\ud800"


def test_an_upload_without_the_csrf_token_is_refused(alice: Person) -> None:
    response = alice.http.post(
        f"{alice.url}/api/images/", files={"file": ("a.png", RED)}, timeout=20
    )

    assert response.status_code == 403


def test_deactivating_a_person_closes_their_socket_within_five_seconds(
    product: Product,
) -> None:
    person = Person(product.url).sign_up("bob")
    with person.connect() as socket:
        socket.until("info")
        product.change_row("UPDATE auth_user SET is_active = 0 WHERE username = ?", person.name)
        began = monotonic()
        error = socket.until("error")
        with pytest.raises(ConnectionClosed) as caught:
            socket.receive()

    assert error["code"] == "unauthenticated"
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401
    assert monotonic() - began < 5


def test_a_host_name_that_is_not_served_is_refused(product: Product) -> None:
    response = requests.get(product.url, headers={"Host": "evil.example"}, timeout=20)

    assert response.status_code == 400


# Health -------------------------------------------------------------------------------------


def test_a_serving_product_is_healthy_and_ready(product: Product) -> None:
    health = requests.get(f"{product.url}/healthz", timeout=20)
    ready = requests.get(f"{product.url}/readyz", timeout=20)

    assert (health.status_code, health.text) == (200, "ok\n")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
