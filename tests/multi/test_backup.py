"""A backup of many instances as docs/operations.md tells it, restored into empty stores."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.testing import draw_png
from tests.contract.commands import commands_under, run_commands
from tests.contract.documents import read
from tests.multi.installation import Installation
from tests.multi.postgres import find_program
from tests.server.people import Person
from tests.server.test_backup import shown_again

if TYPE_CHECKING:
    from tests.multi.postgres import Postgres
    from tests.redis.server import RedisServer

pytestmark = [pytest.mark.multi, pytest.mark.redis]

OPERATIONS = read("docs/operations.md")
PROGRAMS = Path(find_program("pg_dump")).parent


@pytest.mark.usefixtures("workers")
def test_a_backup_brings_conversations_pictures_and_sessions_back(
    installation: Installation,
    alice_at_home: Person,
    postgres: Postgres,
    redis_server: RedisServer,
    tmp_path: Path,
) -> None:
    with alice_at_home.connect() as socket:
        image_id = alice_at_home.upload(draw_png(64, 64, (220, 40, 40)))
        accepted = socket.ask("Hello", images=[image_id])
        _, final = socket.read_reply(accepted["reply"])
    (tmp_path / "data").symlink_to(installation.folder)

    run_commands(
        commands_under(OPERATIONS, "### Back up many instances"),
        tmp_path,
        PROGRAMS,
        DATABASE_URL=installation.database_url,
    )
    (tmp_path / "data").unlink()
    (tmp_path / "data").mkdir()
    url = postgres.new_url()
    run_commands(
        commands_under(OPERATIONS, "### Restore many instances"),
        tmp_path,
        PROGRAMS,
        DATABASE_URL=url,
    )
    shutil.copytree(installation.folder / "static", tmp_path / "data" / "static")
    found = Installation(tmp_path / "data", redis_server.new_url(), url)
    try:
        alice = Person(found.start_web().url)
        alice.http.cookies.update(alice_at_home.http.cookies)
        shown = shown_again(alice, accepted["conversation"])
    finally:
        found.close()

    assert shown == ["Hello", final["content"]]
