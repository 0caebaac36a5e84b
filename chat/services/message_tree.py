"""Which message of a conversation hangs on which: ids alone, so that hundreds cost little."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uuid

    from chat.models import Conversation


@dataclass(frozen=True, slots=True)
class MessageTree:
    """A conversation's messages as they were when they were read."""

    parents: dict[uuid.UUID, uuid.UUID | None]  # oldest first; None: a first question
    _children: dict[uuid.UUID | None, list[uuid.UUID]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        """Note what hangs on each, oldest first."""
        for message_id, parent_id in self.parents.items():
            self._children.setdefault(parent_id, []).append(message_id)

    @classmethod
    def of(cls, conversation: Conversation) -> MessageTree:
        """Read the tree: 1 query."""
        rows = conversation.messages.order_by("created_at", "id")
        return cls(dict(rows.values_list("pk", "parent_id")))

    def __contains__(self, message_id: uuid.UUID) -> bool:
        """Whether the message was there."""
        return message_id in self.parents

    def path_to(self, message_id: uuid.UUID | None) -> list[uuid.UUID]:
        """Give what leads from the first question to this message, which comes last."""
        path = []
        while message_id in self.parents:
            path.append(message_id)
            message_id = self.parents[message_id]
        return path[::-1]

    def siblings_of(self, message_id: uuid.UUID) -> list[uuid.UUID]:
        """Give those that hang on the same one, itself included, oldest first.

        Raises:
            KeyError: the message was not there.
        """
        return self._children[self.parents[message_id]]

    def from_here_on(self, message_id: uuid.UUID) -> list[uuid.UUID]:
        """Give a message and everything that hangs on it."""
        found = [message_id]
        for each in found:  # grows while it is read
            found += self._children.get(each, [])
        return found

    def newest_end_behind(self, message_id: uuid.UUID) -> uuid.UUID:
        """Follow the newest of several children to where none hangs, maybe not a step."""
        while message_id in self._children:
            message_id = self._children[message_id][-1]
        return message_id
