"""Messages as the page shows them: what the partial `chat/_message.html` reads.

The same partial, given a blank card, fills the templates that the live page clones, so a message
looks alike whether the server or the browser drew it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.formats import number_format
from django.utils.translation import gettext as _

from chat.errors import TEXTS, ErrorCode
from chat.models import Message, MessageImage, Reply
from chat.rendering import render
from chat.services.message_tree import MessageTree

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from django.utils.safestring import SafeString

    from chat.models import Conversation, Feedback, Image, RunPage

STRETCH_MESSAGES = 24  # more than a large screen shows
EARLIER_MESSAGES = 12  # loaded at once while somebody scrolls: few, so that it does not falter
BEFORE_SOUGHT = 2


@dataclass(frozen=True, slots=True)
class PictureCard:
    """A picture within a message."""

    id: str
    width_px: int
    height_px: int

    @classmethod
    def of(cls, image: Image) -> PictureCard:
        """Read a stored picture."""
        return cls(str(image.pk), image.width_px, image.height_px)

    @property
    def url(self) -> str:
        """Address of the picture; `?size=thumb` gives the small one."""
        return f"/api/images/{self.id}/"


@dataclass(frozen=True, slots=True)
class Siblings:
    """A message's place among those that hang on the same one."""

    number: int = 1
    count: int = 1
    before: str = ""
    after: str = ""

    @classmethod
    def of(cls, message_id: uuid.UUID, siblings: Sequence[uuid.UUID]) -> Siblings:
        """Find a message among its siblings."""
        index = siblings.index(message_id)
        before = str(siblings[index - 1]) if index else ""
        after = str(siblings[index + 1]) if index + 1 < len(siblings) else ""
        return cls(index + 1, len(siblings), before, after)


@dataclass(frozen=True, slots=True)
class AnswerCard:
    """A reply as it stands."""

    state: str = ""
    text: str = ""
    pixels: str = ""  # the detail asked for: the coordinates of some models depend on it
    model: str = ""
    is_demo: bool = False
    finish_reason: str = ""
    error_code: str = ""
    presence_penalty: str = ""  # what was chosen for it; empty: nothing
    completion_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    is_remembered: bool = False  # its pictures took no reading
    first_token_s: float = 0
    tokens_per_s: float = 0
    judgement: int = 0  # 1 good, -1 bad, 0 none

    @classmethod
    def of(cls, reply: Reply) -> AnswerCard:
        """Read a stored reply."""
        feedback: Feedback | None = getattr(reply, "feedback", None)
        penalty = reply.option("presence_penalty")
        usage, timings = reply.usage, reply.timings
        has_read = bool(timings.get("vision_ms") or not timings.get("total_ms"))
        return cls(
            state=reply.state,
            text=reply.text,
            pixels=reply.option("pixels") or "",
            model=reply.model,
            is_demo=reply.is_demo,
            finish_reason=reply.finish_reason,
            error_code=reply.error_code,
            presence_penalty="" if penalty is None else str(penalty),
            completion_tokens=usage.get("completion_tokens") or 0,
            prompt_tokens=usage.get("prompt_tokens") or 0,
            cached_tokens=usage.get("cached_tokens") or 0,
            is_remembered=bool(usage.get("image_tokens")) and not has_read,
            first_token_s=(timings.get("first_token_ms") or 0) / 1000,
            tokens_per_s=timings.get("tokens_per_s") or 0,
            judgement=feedback.value if feedback else 0,
        )

    @property
    def is_open(self) -> bool:
        """Whether the end is still to come."""
        return self.state in (Reply.State.QUEUED, Reply.State.RUNNING)

    @property
    def html(self) -> SafeString:
        """The text rendered, for answers that have ended."""
        return render(self.text)

    @property
    def text_chars(self) -> int:
        """Length in code points: the offset from which the live text goes on."""
        return len(self.text)

    @property
    def is_loop(self) -> bool:
        """Whether it was ended because it only repeated itself."""
        return self.finish_reason == Reply.FinishReason.REPETITION

    @property
    def tokens(self) -> str:
        """How many tokens it has, as the language writes numbers."""
        return number_format(self.completion_tokens, force_grouping=True)

    @property
    def cached_part(self) -> str:
        """How much of its prompt was remembered, in tokens."""
        part = number_format(self.cached_tokens, force_grouping=True)
        whole = number_format(self.prompt_tokens, force_grouping=True)
        return _("{part} of {whole}").format(part=part, whole=whole)

    @property
    def error_text(self) -> str:
        """What went wrong, for people."""
        if not self.error_code:
            return ""
        try:
            text = str(TEXTS[ErrorCode(self.error_code)])
        except ValueError:
            text = str(TEXTS[ErrorCode.GENERATION_FAILED])
        return text.format(detail="", limit="")

    @property
    def note(self) -> str:
        """Why the answer ended, where that is not plain."""
        return end_notes().get(self.finish_reason, "")


@dataclass(frozen=True, slots=True)
class MessageCard:
    """A question or an answer of the shown branch."""

    role: str
    id: str = ""
    parent: str = ""
    text: str = ""
    pictures: tuple[PictureCard, ...] = ()
    answer: AnswerCard = AnswerCard()
    siblings: Siblings = Siblings()
    page: str = ""  # which page of a document a run asks about here
    is_sought: bool = False  # the hit of a search: the page opens at it

    @classmethod
    def of(
        cls, message: Message, siblings: Sequence[uuid.UUID], *, is_sought: bool = False
    ) -> MessageCard:
        """Read a stored message with its reply, pictures, and those that hang on the same one."""
        reply = getattr(message, "reply", None)
        return cls(
            role=message.role,
            id=str(message.pk),
            parent=str(message.parent_id or ""),
            text=message.text,
            pictures=tuple(PictureCard.of(image) for image in message.images_in_order()),
            answer=AnswerCard.of(reply) if reply else AnswerCard(),
            siblings=Siblings.of(message.pk, siblings),
            page=_page_of(message),
            is_sought=is_sought,
        )

    @property
    def is_question(self) -> bool:
        """Whether a person wrote it."""
        return self.role == Message.Role.USER


def _page_of(message: Message) -> str:
    page: RunPage | None = getattr(message, "run_page", None)
    if page is None:
        return ""
    return _("{name}, page {number}").format(name=page.run.name, number=page.number)


def end_notes() -> dict[str, str]:
    """Texts for the ends that need a word, by finish reason."""
    return {
        Reply.FinishReason.STOPPED: _("Stopped."),
        Reply.FinishReason.LENGTH: _("Cut off at the length limit."),
        Reply.FinishReason.REPETITION: _("Ended because the model began to repeat itself."),
    }


@dataclass(frozen=True, slots=True)
class Stretch:
    """The end of a branch, and what stands before it."""

    messages: tuple[MessageCard, ...] = ()
    before: str = ""  # the message before which others stand; empty: none do
    earlier_picture_ids: tuple[str, ...] = ()  # of those others, in order


def stretch(
    conversation: Conversation,
    *,
    leaf_id: uuid.UUID | None,
    sought: Message | None = None,
    length: int = STRETCH_MESSAGES,
) -> Stretch:
    """Read the last messages that lead to a leaf, at least from a little before the sought one.

    A long conversation costs the page no more than a short one: what stands before is loaded
    when somebody scrolls there. 4 queries for any length.
    """
    tree = MessageTree.of(conversation)
    path = tree.path_to(leaf_id)
    start = max(0, len(path) - length)
    if sought is not None and sought.pk in path:
        start = min(start, max(0, path.index(sought.pk) - BEFORE_SOUGHT))
    messages = Message.objects.for_transcript().in_bulk(path[start:])
    cards = tuple(
        MessageCard.of(messages[each], tree.siblings_of(each), is_sought=messages[each] == sought)
        for each in path[start:]
        if each in messages  # not deleted since
    )
    before = str(path[start]) if start > 0 else ""
    return Stretch(cards, before, _picture_ids(conversation, path[:start]))


def _picture_ids(conversation: Conversation, message_ids: Sequence[uuid.UUID]) -> tuple[str, ...]:
    placed = MessageImage.objects.filter(message__conversation=conversation).order_by("position")
    of_message: dict[uuid.UUID, list[str]] = {}
    for message_id, image_id in placed.values_list("message_id", "image_id"):
        of_message.setdefault(message_id, []).append(str(image_id))
    return tuple(image_id for each in message_ids for image_id in of_message.get(each, ()))


def blank_cards() -> dict[str, MessageCard]:
    """Give the cards that fill the templates which the live page clones."""
    return {
        "blank_question": MessageCard(role=Message.Role.USER),
        "blank_answer": MessageCard(role=Message.Role.ASSISTANT),
    }
