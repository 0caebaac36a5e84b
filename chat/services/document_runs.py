"""Runs through documents: a turn for each chosen page, the next when the one before has ended.

The rows are the queue, so a run needs no open page and outlives every process. Whoever answered a
page calls `advance`; what is lost on the way, the sweeper finds by `advance_idle`. A page that
fails does not hold up the others; a reply that its person stops ends the run.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from chat.errors import ChatError, ErrorCode
from chat.models import Conversation, DocumentRun, Reply, RunPage
from chat.protocol import Pixels, TurnOptions
from chat.services import documents, quotas, turns

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence

    from django.contrib.auth.models import User

    from chat.models import Document
    from chat.models.document_run import DocumentRunQuerySet

log = logging.getLogger(__name__)

# Small print wants detail; tables repeat themselves; what stands on a page is no matter of taste.
OPTIONS = TurnOptions(pixels=Pixels.DETAIL, temperature=0.2, presence_penalty=0.0)
# What passes by itself, a used-up day too; the sweeper tries again.
_PASSING = (ErrorCode.ALREADY_RUNNING, ErrorCode.QUEUE_FULL, ErrorCode.QUOTA_EXCEEDED)
# Models like to put the whole answer into one block of code.
_FENCED = re.compile(r"\s*```(?:markdown|md)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageStatus:
    """How far one page of a run is: waiting, running, done, stopped or failed."""

    number: int
    state: str
    message: uuid.UUID | None = None
    reply: uuid.UUID | None = None
    text: str = ""


def default_text() -> str:
    """Give what is asked of each page when its person asks nothing else."""
    return _(
        "Write this page as Markdown. Keep its headings, lists, tables and formulas. "
        "Write only what stands on the page."
    )


def start(owner: User, document: Document, numbers: Sequence[int], *, text: str) -> DocumentRun:
    """Begin a conversation about these pages, in this order, and ask about the first.

    Must not be called inside a transaction.

    Raises:
        ChatError: document_not_found for a page that is not there, text_too_long, quota_exceeded,
            or bad_frame for no page at all.
    """
    chosen = list(dict.fromkeys(numbers))
    if not chosen:
        raise ChatError(ErrorCode.BAD_FRAME, detail="“pages” is empty.")
    documents.check_pages(document, chosen)
    text = text.strip() or default_text()
    turns.check_question(turns.Question(text=text))
    with transaction.atomic():
        quotas.check_runs(owner)
        conversation = Conversation.objects.create(owner=owner, title=document.name)
        run = DocumentRun.objects.create(
            conversation=conversation, document=document, name=document.name, text=text
        )
        _append(run, chosen)
    advance(conversation.pk)
    run.refresh_from_db()
    return run


def stop(run: DocumentRun) -> list[uuid.UUID]:
    """Ask about no further page; returns the replies being written, for the caller to stop."""
    with transaction.atomic():
        locked = DocumentRun.objects.select_for_update().get(pk=run.pk)
        if locked.state == DocumentRun.State.RUNNING:
            _set_state(locked, DocumentRun.State.STOPPED)
        open_replies = Reply.objects.open().filter(message__conversation=run.conversation_id)
        return list(open_replies.values_list("pk", flat=True))


def go_on(run: DocumentRun) -> None:
    """Ask again about the pages that failed or were stopped, and about those not yet asked.

    Must not be called inside a transaction.

    Raises:
        ChatError: document_not_found, when the PDF is no longer kept, or quota_exceeded.
    """
    if run.document is None:
        raise ChatError(ErrorCode.DOCUMENT_NOT_FOUND)
    with transaction.atomic():
        locked = DocumentRun.objects.select_for_update().get(pk=run.pk)
        if locked.state != DocumentRun.State.RUNNING:
            quotas.check_runs(run.conversation.owner)
        again = [page.number for page in pages(locked) if page.state in ("failed", "stopped")]
        _append(locked, again)
        _set_state(locked, DocumentRun.State.RUNNING)
    advance(run.conversation_id)


def advance(conversation_id: uuid.UUID) -> Reply | None:
    """Ask about the next page of this conversation's run, if there is one and nothing is open.

    Gives back the reply about a page that was cut off by its length instead: it is to be gone on
    with, by a layer above, before the next page. Draws the page, which takes up to `VL_DECODE_S`;
    must not be called inside a transaction. Called twice at once, it asks once. 1 query without
    a run.
    """
    run = _running().filter(conversation=conversation_id).first()
    return _advance(run) if run is not None else None


def advance_after(reply_id: uuid.UUID) -> Reply | None:
    """Do as `advance` for the conversation of a reply that has ended."""
    run = _running().filter(conversation__messages=reply_id).first()
    return _advance(run) if run is not None else None


def advance_idle() -> list[Reply]:
    """Do as `advance` for all whose last reply has ended without it: 1 query if there is none."""
    writing = Reply.objects.open().values("message__conversation")
    cut_replies = []
    for run in _running().exclude(conversation__in=writing):
        try:
            cut = _advance(run)
        except Exception:  # of one run, such as a file out of reach: the others go on
            log.exception("run %s: could not be carried on; trying again", run.pk)
        else:
            cut_replies += [cut] if cut is not None else []
    return cut_replies


def pages(run: DocumentRun) -> list[PageStatus]:
    """Tell of each page of a run, by number: 2 queries."""
    latest = {page.number: page for page in run.pages.all()}
    replies: dict[uuid.UUID | None, Reply] = {}
    asked = Reply.objects.filter(message__parent__run_page__run=run)
    for reply in asked.select_related("message").order_by("queued_at"):
        before = replies.get(reply.message.parent_id)
        # Answered once more without success, a page keeps the answer it had.
        if before is None or before.state != Reply.State.DONE or reply.state == Reply.State.DONE:
            replies[reply.message.parent_id] = reply
    return [_status(page, replies.get(page.message_id)) for _, page in sorted(latest.items())]


def as_markdown(run: DocumentRun) -> str:
    """Put the text of all pages into one file, each below a comment that names it: 2 queries."""
    name = run.name.replace("--", "-")  # two would end the comment
    parts = [f"<!-- {name}, {page.number} -->\n\n{_bare(page.text)}" for page in pages(run)]
    return "\n\n".join(parts).strip() + "\n"


def _advance(run: DocumentRun) -> Reply | None:
    if Reply.objects.open().filter(message__conversation=run.conversation_id).exists():
        return None
    last = _last_reply(run)
    if last is not None and last.state == Reply.State.STOPPED:
        _set_state(run, DocumentRun.State.STOPPED)
    elif last is not None and _is_cut(last):
        return last
    elif not any(_ask(run, page) for page in run.pages.filter(message=None, error_code="")):
        _set_state(run, DocumentRun.State.DONE)
    return None


def _is_cut(reply: Reply) -> bool:
    """Whether the answer ran into its length, and may become longer."""
    is_cut = reply.finish_reason == Reply.FinishReason.LENGTH
    return is_cut and reply.options["max_tokens"] < settings.VL_PAGE_TOKENS


def _running() -> DocumentRunQuerySet:
    runs = DocumentRun.objects.running().filter(
        conversation__owner__is_active=True, conversation__deleted_at__isnull=True
    )
    return runs.select_related("document", "conversation__owner")


def _append(run: DocumentRun, numbers: Sequence[int]) -> None:
    last = run.pages.aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    RunPage.objects.bulk_create(
        RunPage(run=run, position=position, number=number)
        for position, number in enumerate(numbers, start=first)
    )


def _set_state(run: DocumentRun, state: DocumentRun.State) -> None:
    run.state = state
    run.save(update_fields=["state"])


def _last_reply(run: DocumentRun) -> Reply | None:
    """Find the newest reply about the page asked about last, unless that page comes again."""
    page = run.pages.filter(message__isnull=False).last()
    if page is None or run.pages.filter(number=page.number, position__gt=page.position).exists():
        return None
    return Reply.objects.filter(message__parent=page.message_id).order_by("queued_at").last()


def _ask(run: DocumentRun, page: RunPage) -> bool:
    """Ask about a page; returns whether the run is to wait now, not to try the next page."""
    owner = run.conversation.owner
    try:
        if run.document is None:
            raise ChatError(ErrorCode.DOCUMENT_NOT_FOUND)
        image = documents.page_images(owner, run.document, [page.number])[0]
    except ChatError as error:
        if error.code == ErrorCode.RATE_LIMITED:  # its person's files took their time: later
            return True
        RunPage.objects.filter(pk=page.pk).update(error_code=error.code)
        return False
    question = turns.Question(
        text=run.text,
        image_ids=[image.pk],
        conversation_id=run.conversation_id,
        client_id=page.pk,
        options=OPTIONS,
    )
    try:
        _start_turn(run, page, question)
    except ChatError as error:
        if error.code not in _PASSING:
            log.warning("run %s ends at page %d: %s", run.pk, page.number, error.code)
            _set_state(run, DocumentRun.State.STOPPED)
    return True


def _start_turn(run: DocumentRun, page: RunPage, question: turns.Question) -> None:
    with transaction.atomic():
        # It may have been stopped while the page was drawn.
        if DocumentRun.objects.select_for_update().running().filter(pk=run.pk).first() is None:
            return
        turn = turns.start_turn(run.conversation.owner, question)
        RunPage.objects.filter(pk=page.pk).update(message=turn.message)


def _status(page: RunPage, reply: Reply | None) -> PageStatus:
    if reply is None:
        return PageStatus(number=page.number, state="failed" if page.error_code else "waiting")
    state = "running" if reply.is_open else reply.state
    return PageStatus(
        number=page.number,
        state=state,
        message=page.message_id,
        reply=reply.pk,
        text=reply.text,
    )


def _bare(text: str) -> str:
    fenced = _FENCED.fullmatch(text)
    return (fenced[1] if fenced else text).strip()
