"""Everything of one person as a ZIP file, written piece by piece while it is sent.

Nothing is gathered on the disk or in memory: a step reads one conversation or a part of a file.
Between two steps no cursor and no lock is held, so a slow reader keeps nobody.
"""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

from allauth.account.models import EmailAddress
from django.core.serializers.json import DjangoJSONEncoder

from chat.database_threads import in_thread
from chat.models import ApiKey, Conversation, DailyUse, Document, Image, Preset
from chat.services import preferences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from django.contrib.auth.models import User
    from django.db.models.fields.files import FieldFile

CHUNK_BYTES = 256 * 1024


class _Outlet:
    """What `zipfile` writes to: it cannot seek, so sizes follow each file's content."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what was written is taken, not sent on."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


async def archive(
    user: User, describe: Callable[[Conversation], dict[str, Any]]
) -> AsyncIterator[bytes]:
    """Yield the file's bytes; `describe` gives a conversation as it goes into JSON.

    It holds `account.json`, `conversations/`, `pictures/` and `documents/`, with lists of both.
    What is deleted meanwhile is left out.
    """
    pieces = _pieces(user, describe)
    step = in_thread(lambda: next(pieces, None))
    while (piece := await step()) is not None:
        if piece:
            yield piece


def _pieces(user: User, describe: Callable[[Conversation], dict[str, Any]]) -> Iterator[bytes]:
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as file:  # type: ignore[call-overload]  # it only writes
        _write_json(file, "account.json", _account(user))
        yield outlet.take()
        visible = Conversation.objects.visible_to(user)
        for pk in list(visible.values_list("pk", flat=True)):
            conversation = visible.filter(pk=pk).first()
            if conversation is not None:
                _write_json(file, f"conversations/{pk}.json", describe(conversation))
                yield outlet.take()
        for step in (_pictures(file, user), _documents(file, user)):
            for _ in step:
                yield outlet.take()
    yield outlet.take()


def _account(user: User) -> dict[str, Any]:
    return {
        "username": user.get_username(),
        "name": user.get_full_name(),
        "email": user.email,
        "addresses": list(
            EmailAddress.objects.filter(user=user).values("email", "verified", "primary")
        ),
        "joined_at": user.date_joined,
        "last_sign_in_at": user.last_login,
        "language": preferences.language_of(user),
        "presets": list(Preset.objects.visible_to(user).values("name", "options", "is_default")),
        "api_keys": list(
            ApiKey.objects.visible_to(user).values(
                "name", "prefix", "scope", "created_at", "expires_at", "last_used_at"
            )
        ),
        "use": list(DailyUse.objects.filter(owner=user).values("day", "turns", "tokens")),
    }


def _pictures(file: zipfile.ZipFile, user: User) -> Iterator[None]:
    listed = []
    for image in Image.objects.visible_to(user):
        name = f"pictures/{image.pk}.{image.extension}"
        listed.append({
            "id": image.pk,
            "width": image.width_px,
            "height": image.height_px,
            "uploaded_at": image.created_at,
            "file": name if (yield from _copy(file, name, image.file)) else None,
        })  # fmt: skip
    _write_json(file, "pictures.json", listed)
    yield


def _documents(file: zipfile.ZipFile, user: User) -> Iterator[None]:
    listed = []
    for document in Document.objects.visible_to(user):
        name = f"documents/{document.pk}.pdf"
        listed.append({
            "id": document.pk,
            "name": document.name,
            "uploaded_at": document.created_at,
            "file": name if (yield from _copy(file, name, document.file)) else None,
        })  # fmt: skip
    _write_json(file, "documents.json", listed)
    yield


def _copy(file: zipfile.ZipFile, name: str, stored: FieldFile) -> Generator[None, None, bool]:
    """Copy a stored file as it is; returns whether it was there."""
    try:
        source = stored.open("rb")
    except FileNotFoundError:
        return False
    with source, file.open(zipfile.ZipInfo(name), "w") as target:
        for chunk in source.chunks(CHUNK_BYTES):
            target.write(chunk)
            yield
    return True


def _write_json(file: zipfile.ZipFile, name: str, content: object) -> None:
    text = json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)
    file.writestr(name, text)
