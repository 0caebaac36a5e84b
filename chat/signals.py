"""What services tell the layers above them, always after the commit.

Services know nothing of sockets or workers; `chat.generation` listens here.
"""

from django.db import transaction
from django.dispatch import Signal

# conversation: Conversation, message_id, reply_id: UUID
turn_started = Signal()
# with the conversation itself
conversation_changed = Signal()
# owner_id: int, conversation_id: UUID, open_reply_ids: list[UUID]; of one that is gone for good
# also gone_reply_ids: list[UUID]
conversation_deleted = Signal()
# with the conversation, and message_id: UUID, the first one that is gone, with all that hung on it;
# open_reply_ids and gone_reply_ids: list[UUID]
message_deleted = Signal()


def send_after_commit(signal: Signal, **arguments: object) -> None:
    """Send the signal once the running transaction is durable; at once outside of one."""
    transaction.on_commit(lambda: _send(signal, arguments))


def _send(signal: Signal, arguments: dict[str, object]) -> None:
    signal.send_robust(sender=None, **arguments)
