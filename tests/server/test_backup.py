"""A backup as docs/operations.md tells it, taken while people write, and restored elsewhere."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from inference.testing import draw_png
from tests.contract.commands import commands_under, run_commands
from tests.contract.documents import read
from tests.server.people import TIMEOUT_S, Person
from tests.server.processes import Product

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.conftest import MakeProduct

OPERATIONS = read("docs/operations.md")


def test_a_backup_brings_conversations_pictures_and_sessions_back(
    own_product: MakeProduct, tmp_path: Path
) -> None:
    lost = own_product()
    lost.start()
    folder = tmp_path / "operator"
    folder.mkdir()
    (folder / "data").symlink_to(lost.data)
    alice = Person(lost.url).sign_up("alice")
    with alice.connect() as socket:
        accepted = socket.ask("Hello", images=[alice.upload(draw_png(64, 64, (220, 40, 40)))])
        _, final = socket.read_reply(accepted["reply"])

    run_commands(commands_under(OPERATIONS, "### Back up one process"), folder, None)
    lost.close()
    (folder / "data").unlink()
    shutil.rmtree(lost.data)
    (folder / "data").mkdir()
    run_commands(commands_under(OPERATIONS, "### Restore one process"), folder, None)
    found = Product(folder / "data", port=lost.port)
    try:
        assert found.run("prepare").returncode == 0
        found.start()
        shown = shown_again(alice, accepted["conversation"])
    finally:
        found.close()

    assert shown == ["Hello", final["content"]]


def shown_again(person: Person, conversation: str) -> list[str]:
    """Read a conversation by the session of before, with its pictures; give its texts."""
    messages = person.http.get(
        f"{person.url}/api/conversations/{conversation}/messages/", timeout=TIMEOUT_S
    ).json()["messages"]
    images = [image["id"] for message in messages for image in message["images"]]
    assert images
    for image_id in images:
        picture = person.http.get(f"{person.url}/api/images/{image_id}/", timeout=TIMEOUT_S)
        assert (picture.status_code, picture.content[:4]) == (200, draw_png(1, 1)[:4])
    return [message["text"] for message in messages]
