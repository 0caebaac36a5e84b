"""The conversation list: pages of it, grouped by time, searched by text."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.services import conversations
from chat.views.hits import Piece, pieces, snippet

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable

    from django.core.paginator import Page

    from chat.models import Conversation, Message
    from chat.models.image import Owner

QUERY_MAX_CHARS = 200
PAGE_MAX_DIGITS = 9
# Days back to which a group reaches, from the newest on; what is older goes by its month.
_DAYS = ((0, "today"), (1, "yesterday"), (7, "week"), (30, "month"))


@dataclass(frozen=True, slots=True)
class ConversationCard:
    """A conversation as a line of the list; without a conversation the blank one of the page."""

    conversation: Conversation | None = None
    title: tuple[Piece, ...] = ()
    snippet: tuple[Piece, ...] = ()
    url: str = ""
    is_hit_archived: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Cards of one time, under a title."""

    key: str
    title: str
    cards: tuple[ConversationCard, ...] = ()


@dataclass(frozen=True, slots=True)
class SidebarPage:
    """One page of the list, newest first."""

    query: str
    is_archive: bool
    number: int
    later_pages: range  # those that are still to come
    groups: tuple[Group, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not any(group.cards for group in self.groups)


def sidebar_page(
    user: Owner, *, query: str = "", page: str = "1", is_archive: bool = False
) -> SidebarPage:
    """Load one page of a person's conversations: 2 queries, 3 when it is a search's.

    A page that is none is the first.
    """
    query = query.strip()[:QUERY_MAX_CHARS].replace("\x00", "")
    # Python reads no number of thousands of digits.
    number = int(page) if page.isdecimal() and len(page) <= PAGE_MAX_DIGITS else 1
    found = conversations.page(user, query=query, number=number, is_archived=is_archive)
    return SidebarPage(
        query=query,
        is_archive=is_archive,
        number=found.number,
        later_pages=range(found.number + 1, found.paginator.num_pages + 1),
        groups=_hits(found, query) if query else _by_time(found, is_archive=is_archive),
    )


def _hits(found: Page[Conversation], query: str) -> tuple[Group, ...]:
    ids = (getattr(conversation, "hit_id", None) for conversation in found)
    messages = conversations.messages_by_id(hit_id for hit_id in ids if hit_id)
    cards = tuple(_hit_card(conversation, query, messages) for conversation in found)
    count = found.paginator.count
    title = ngettext("%(count)s conversation found", "%(count)s conversations found", count)
    return (Group("found", title % {"count": count}, cards),)


def _hit_card(
    conversation: Conversation, query: str, messages: dict[uuid.UUID, Message]
) -> ConversationCard:
    hit_id: uuid.UUID | None = getattr(conversation, "hit_id", None)
    hit = messages.get(hit_id) if hit_id else None
    title = pieces(conversation.title or _("New conversation"), query)
    url = reverse("chat:conversation", args=[conversation.pk])
    is_archived = conversation.archived_at is not None
    if hit is None:
        return ConversationCard(conversation, title, (), url, is_archived)
    reply = getattr(hit, "reply", None)
    shown = snippet(reply.text if reply else hit.text, query)
    return ConversationCard(conversation, title, shown, f"{url}?at={hit.pk}", is_archived)


def _by_time(found: Page[Conversation], *, is_archive: bool) -> tuple[Group, ...]:
    today = timezone.localdate()
    grouped = groupby(found, lambda item: _time_of(item, today, is_archive=is_archive))
    groups = [Group(key, _title_of(key), _cards(items)) for key, items in grouped]
    if found.number == 1 and not is_archive:
        # Always there: the page moves cards into it.
        keys = {group.key for group in groups}
        after = 1 if "pinned" in keys else 0
        if "today" not in keys:
            groups.insert(after, Group("today", _title_of("today")))
    return tuple(groups)


def _time_of(conversation: Conversation, today: datetime.date, *, is_archive: bool) -> str:
    if conversation.pinned_at is not None and not is_archive:
        return "pinned"
    day = timezone.localtime(conversation.active_at).date()
    days = (today - day).days
    return next((key for limit, key in _DAYS if days <= limit), f"{day:%Y-%m}")


def _title_of(key: str) -> str:
    titles = {
        "pinned": _("Pinned"),
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "week": _("Previous 7 days"),
        "month": _("Previous 30 days"),
    }
    if key in titles:
        return titles[key]
    return date_format(datetime.date.fromisoformat(f"{key}-01"), "YEAR_MONTH_FORMAT")


def _cards(items: Iterable[Conversation]) -> tuple[ConversationCard, ...]:
    return tuple(
        ConversationCard(
            item,
            (Piece(item.title or _("New conversation"), is_hit=False),),
            (),
            reverse("chat:conversation", args=[item.pk]),
        )
        for item in items
    )
