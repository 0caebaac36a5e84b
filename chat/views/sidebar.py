"""The conversation list: pages of it, grouped by day, searched by text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils import timezone

from chat.services import conversations

if TYPE_CHECKING:
    from chat.models import Conversation
    from chat.models.image import Owner

QUERY_MAX_CHARS = 200


@dataclass(frozen=True, slots=True)
class SidebarPage:
    """One page of the list, newest first."""

    query: str
    today: tuple[Conversation, ...]
    earlier: tuple[Conversation, ...]
    is_first: bool
    next_page: int | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.today and not self.earlier


def sidebar_page(user: Owner, *, query: str = "", page: str = "1") -> SidebarPage:
    """Load one page of a person's conversations: 2 queries; a page that is none is the first."""
    query = query.strip()[:QUERY_MAX_CHARS].replace("\x00", "")
    number = int(page) if page.isdecimal() else 1
    shown = conversations.page(user, query=query, number=number)
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return SidebarPage(
        query=query,
        today=tuple(item for item in shown if item.active_at >= midnight),
        earlier=tuple(item for item in shown if item.active_at < midnight),
        is_first=shown.number == 1,
        next_page=shown.next_page_number() if shown.has_next() else None,
    )
