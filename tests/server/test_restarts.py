"""Starting, ending, dying and starting again: no accepted turn is lost."""

from __future__ import annotations

import signal
import socket
from time import monotonic
from typing import TYPE_CHECKING

import pytest
import requests
from websockets.exceptions import ConnectionClosed

from chat.protocol import CloseCode
from tests.server.people import Person
from tests.server.processes import MANAGE, PACED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import MakeProduct

EVERY_WORD = " ".join(f"word{number}" for number in range(1, 61)) + "."
LET_THE_LEASE_RUN_OUT = (
    "UPDATE chat_reply SET lease_until = '2020-01-01 00:00:00' WHERE state = 'running'"
)


def test_the_last_line_of_the_start_says_where_it_is_reached(own_product: MakeProduct) -> None:
    product = own_product()

    line = product.start(until="Ready at")

    assert line == f"Ready at {product.url}/\n"
    assert requests.get(f"{product.url}/readyz", timeout=20).status_code == 200


def test_a_port_in_use_is_said_with_the_setting_to_change(own_product: MakeProduct) -> None:
    product = own_product()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", product.port))
        taken.listen()
        done = product.run("serve")

    assert done.returncode != 0
    assert f"VL_PORT={product.port}: Address already in use." in done.stderr
    assert "Traceback" not in done.stderr


def test_sigterm_ends_an_idle_server_cleanly_and_soon(own_product: MakeProduct) -> None:
    product = own_product()
    product.start()
    began = monotonic()

    status = product.end(signal.SIGTERM)

    assert status == 0
    assert monotonic() - began < 5
    product.log.check_no_traceback()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "kill -9"])
def test_a_reply_cut_off_by_the_end_of_the_server_is_finished_by_the_next(
    own_product: MakeProduct, how: signal.Signals
) -> None:
    product = own_product()
    product.start(command=PACED)
    alice = Person(product.url).sign_up("alice")
    with alice.connect() as before:
        accepted = before.ask("Count slowly", options={"temperature": 0})
        # More than a checkpoint's worth, so that the row holds a part of it.
        seen = before.read_words(accepted["reply"], 18)
        product.end(how)
        with pytest.raises(ConnectionClosed) as closed:
            before.read_to_the_end()
    if how == signal.SIGTERM:
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == CloseCode.RESTARTING
    else:
        product.change_row(LET_THE_LEASE_RUN_OUT)

    product.start(command=PACED)
    with alice.connect() as after:
        after.send(type="resume", reply=accepted["reply"], offset=len(seen))
        text, final = after.read_reply(accepted["reply"], seen)

    assert EVERY_WORD.startswith(seen)
    assert final["content"] == EVERY_WORD
    assert EVERY_WORD.startswith(text)


def test_a_question_asked_before_the_restart_keeps_its_pictures_and_history(
    own_product: MakeProduct,
) -> None:
    product = own_product()
    product.start()
    alice = Person(product.url).sign_up("alice")
    with alice.connect() as before:
        accepted = before.ask("My first question")
        before.read_reply(accepted["reply"])
    product.end()

    product.start()
    with alice.connect() as after:
        text = after.answer("And then?", conversation=accepted["conversation"])

    assert "turn 2" in text
    assert "You asked first: 'My first question'" in text


def test_a_broken_model_folder_is_said_to_everyone_who_asks(
    own_product: MakeProduct, tmp_path: Path
) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3_vl", "vision_config": {}')
    product = own_product(VL_BACKEND="transformers", VL_MODEL=str(folder))

    line = product.start(command=(*MANAGE, "serve"), until="The model is not available")
    alice = Person(product.url).sign_up("alice")
    with alice.connect() as socket:
        info = socket.until("info")
        accepted = socket.ask("What is this?")
        _, error = socket.read_reply(accepted["reply"])
    ready = requests.get(f"{product.url}/readyz", timeout=20)

    assert "config.json" in line
    assert "Ready at" not in str(product.log)
    assert info["state"]["phase"] == "failed"
    assert (error["type"], error["code"]) == ("error", "model_unavailable")
    assert (ready.status_code, ready.json()["model"]) == (503, False)
