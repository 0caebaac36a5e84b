"""One follower's place in one reply: what it has, and so what it is sent next.

The same for sockets and for Server-Sent Events. It sends nothing itself, and is used on one event
loop, by one task at a time.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.utils import translation

from chat.database_threads import in_thread
from chat.error_frames import error_frame
from chat.errors import ChatError
from chat.generation import following
from chat.protocol import PartialFrame, StatusFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chat.models.image import Owner
    from chat.protocol import ServerFrame

EVENT_TYPES = ("reply.text", "reply.status", "reply.ended")


class ReplyCursor:
    """Turns what is relayed, or read again, into frames without gap or repetition."""

    def __init__(self, user: Owner, reply_id: uuid.UUID, *, offset: int, language: str) -> None:
        """Begin at the offset; whether the reply is this person's was checked by the caller."""
        self.reply_id = reply_id
        self.offset = offset
        self.has_ended = False
        self._is_following = False
        self._user = user
        self._language = language

    async def read(self, *, with_status: bool = False) -> Sequence[ServerFrame]:
        """Give what the log or the row has beyond the offset, to the reply's end if it is there.

        A reply that had ended before is told by its end alone, which holds all of it. Who was
        following gets the rest before the end, so that what is shown goes on without a jump.
        """
        if self.has_ended:
            return []
        try:
            view = await in_thread(self._view)(with_status)
        except ChatError as error:  # the conversation was deleted under it
            self.has_ended = True
            return [error_frame(error, language=self._language, reply=self.reply_id)]
        frames: list[ServerFrame] = []
        if with_status and view.status is not None:
            frames.append(StatusFrame(reply=self.reply_id, **view.status))
        if view.text and (view.terminal is None or self._is_following):
            frames.append(self._advance(view.text))
        if view.terminal is not None:
            self.has_ended = True
            frames.append(view.terminal)
        self._is_following = True
        return frames

    async def take(self, event: dict[str, Any]) -> Sequence[ServerFrame]:
        """Give what an event of the channel layer means here; a gap is read from the log."""
        if self.has_ended:
            return []
        if event["type"] == "reply.status":
            return [StatusFrame(reply=self.reply_id, **event["status"])]
        if event["type"] == "reply.ended" or event["offset"] > self.offset:
            return await self.read()
        unseen = event["content"][self.offset - event["offset"] :]
        return [self._advance(unseen)] if unseen else []

    def _view(self, with_status: bool) -> following.View:
        with translation.override(self._language):
            return following.view(self._user, self.reply_id, self.offset, with_status=with_status)

    def _advance(self, content: str) -> PartialFrame:
        offset = self.offset
        self.offset += len(content)
        return PartialFrame(reply=self.reply_id, offset=offset, content=content)
