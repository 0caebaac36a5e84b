"""A conversation as people read it: the whole tree, in the order of its branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.urls import reverse

from chat.rendering import render

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator

    from django.utils.safestring import SafeString

    from chat.models import Conversation, Image, Message, Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message with its place: which of its siblings it is, and whether people see it."""

    message: Message
    number: int
    siblings: int
    is_shown: bool

    @property
    def reply(self) -> Reply | None:
        """The reply that fills an assistant's message."""
        return getattr(self.message, "reply", None)

    @property
    def answer(self) -> SafeString:
        """The answer, rendered."""
        return render(self.reply.text if self.reply else "")

    @property
    def pictures(self) -> list[Picture]:
        """The question's pictures, in its order."""
        return [Picture(placed.image) for placed in self.message.messageimage_set.all()]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its addresses."""

    image: Image

    @property
    def url(self) -> str:
        """Where reviewers see it."""
        return reverse("api:image", kwargs={"image_id": self.image.pk})

    @property
    def thumbnail_url(self) -> str:
        """Where reviewers see it small."""
        return f"{self.url}?size=thumb"


def transcript(conversation: Conversation) -> list[Entry]:
    """Give all messages, each question before its answers: 2 queries for any length."""
    messages = list(conversation.messages.for_transcript())
    children: dict[uuid.UUID | None, list[Message]] = {}
    for message in messages:
        children.setdefault(message.parent_id, []).append(message)
    shown = _branch_ids(messages, conversation.leaf_id)
    return list(_walk(children, shown))


def _branch_ids(messages: Iterable[Message], leaf_id: uuid.UUID | None) -> set[uuid.UUID]:
    parents = {message.pk: message.parent_id for message in messages}
    ids: set[uuid.UUID] = set()
    while leaf_id in parents and leaf_id not in ids:
        ids.add(leaf_id)
        leaf_id = parents[leaf_id]
    return ids


def _walk(
    children: dict[uuid.UUID | None, list[Message]], shown: set[uuid.UUID]
) -> Iterator[Entry]:
    """Go down each branch to its end; with a stack, since a conversation may be very deep."""
    stack = _entries(children.get(None, []), shown)
    while stack:
        entry = stack.pop()
        yield entry
        stack += _entries(children.get(entry.message.pk, []), shown)


def _entries(siblings: list[Message], shown: set[uuid.UUID]) -> list[Entry]:
    return [
        Entry(message=message, number=number, siblings=len(siblings), is_shown=message.pk in shown)
        for number, message in enumerate(siblings, start=1)
    ][::-1]
