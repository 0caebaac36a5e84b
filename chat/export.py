"""A conversation as a file that outlives the product: Markdown, or one HTML page with its pictures.

Both hold the shown branch. What has not ended holds its text so far.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from asgiref.sync import sync_to_async
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from chat.errors import ChatError
from chat.rendering import render
from chat.services import conversations, images
from chat.shares import rendering_shares

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from chat.models import Conversation, Image, Message, Reply

STYLESHEETS = ("chat/css/tokens.css", "chat/css/prose.css", "chat/css/export.css")
FILE_NAME_CHARS = 60
_BODY = "<!-- messages -->"  # where the page is cut: what stands there comes piece by piece
_NOT_IN_FILE_NAMES = re.compile(r"[^\w-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as the templates of both files read it."""

    message: Message

    @property
    def reply(self) -> Reply | None:
        """The reply that fills an answer's message."""
        return getattr(self.message, "reply", None)

    @property
    def speaker(self) -> str:
        """Who speaks; of an answer the model."""
        if self.reply is None:
            return _("Question")
        model = self.reply.model
        return _("Answer ({model})").format(model=model) if model else _("Answer")

    @property
    def text(self) -> str:
        """What was said, as it was written."""
        return self.message.text if self.reply is None else self.reply.text

    @property
    def html(self) -> SafeString:
        """An answer, rendered."""
        return render(self.text)

    @property
    def pictures(self) -> list[EmbeddedPicture]:
        """The question's pictures, in its order."""
        return [
            EmbeddedPicture(number, image)
            for number, image in enumerate(self.message.images_in_order(), start=1)
        ]


@dataclass(frozen=True, slots=True)
class EmbeddedPicture:
    """A picture of a question, by its number there."""

    number: int
    image: Image

    @property
    def label(self) -> str:
        """What it is called."""
        size = f"{self.image.width_px} × {self.image.height_px}"
        return _("Picture {number} ({size})").format(number=self.number, size=size)

    @property
    def data_url(self) -> str:
        """The picture itself; empty when its file is gone."""
        try:
            content = images.read_bytes(self.image)
        except ChatError:
            return ""
        return f"data:{self.image.content_type};base64,{base64.b64encode(content).decode('ascii')}"


def forms() -> dict[str, str]:
    """Name the forms that a file can have, by their extension."""
    return {
        "md": _("Markdown"),
        "html": _("Page with pictures (HTML)"),
        "json": _("Everything (JSON)"),
    }


def file_name(conversation: Conversation, extension: str) -> str:
    """Name a conversation's file after its title."""
    title = _NOT_IN_FILE_NAMES.sub("-", conversation.title)[:FILE_NAME_CHARS].strip("-")
    return f"{title or 'conversation'}.{extension}"


def markdown(conversation: Conversation) -> str:
    """Write the shown branch as Markdown; pictures are named, not there: 2 queries."""
    parts = [f"# {_title(conversation)}"]
    for entry in map(Entry, conversations.shown_branch(conversation)):
        parts.append(f"## {entry.speaker}")
        parts += [f"*{picture.label}*" for picture in entry.pictures]
        parts += [entry.text] if entry.text else []
    return "\n\n".join(parts) + "\n"


async def html(conversation: Conversation) -> AsyncIterator[str]:
    """Write the shown branch as one page, a message at a time: pictures may be many."""
    language = translation.get_language()
    context = {
        "title": _title(conversation),
        "language": language,
        "style": _style(),
        "body": mark_safe(_BODY),  # noqa: S308 - our own text
    }
    head, _cut, foot = render_to_string("chat/export.html", context).partition(_BODY)
    yield head
    for message in await sync_to_async(conversations.shown_branch)(conversation):
        yield await sync_to_async(_piece)(message, language, conversation.owner_id)
    yield foot


def _piece(message: Message, language: str | None, owner_id: int) -> str:
    with translation.override(language), rendering_shares.counting(owner_id):
        return render_to_string("chat/_export_message.html", {"entry": Entry(message)})


def _title(conversation: Conversation) -> str:
    return conversation.title or _("Conversation")


@cache
def _style() -> SafeString:
    """Give the stylesheets of the page; none of them loads anything."""
    paths = [finders.find(sheet) for sheet in STYLESHEETS]
    sheets = [Path(str(path)).read_text(encoding="utf-8") for path in paths]
    return mark_safe("\n".join(sheets))  # noqa: S308 - our own files
