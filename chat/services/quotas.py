"""How much of the server one person may use: turns and tokens a day, open replies, storage."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import F, Sum
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from chat.errors import ChatError, ErrorCode
from chat.models import DailyUse, Document, DocumentRun, Image, Reply

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.utils.functional import _StrPromise

OPEN_REPLIES_RETRY_S = 10.0  # an answer takes about so long


def take_turn(owner: User) -> None:
    """Count a turn that begins, within its transaction: 3 queries, one more for a day's first.

    The row of the day stays locked until the transaction ends, so that two turns of one person
    cannot both be the last one; an error undoes the count along with everything else.

    Raises:
        ChatError: quota_exceeded.
    """
    rows = DailyUse.objects.filter(owner_id=owner.pk, day=timezone.localdate())
    if not rows.update(turns=F("turns") + 1):
        first = DailyUse(owner_id=owner.pk, day=timezone.localdate())
        DailyUse.objects.bulk_create([first], ignore_conflicts=True)
        rows.update(turns=F("turns") + 1)
    used = rows.get()
    if 0 < settings.VL_PERSON_TURNS_PER_DAY < used.turns:
        raise _used_up(_("You have asked all questions of today. Go on tomorrow."))
    if 0 < settings.VL_PERSON_TOKENS_PER_DAY <= used.tokens:
        raise _used_up(_("The answers of today are used up. Go on tomorrow."))
    _check_open_replies(owner)


def _check_open_replies(owner: User) -> None:
    limit = settings.VL_PERSON_OPEN_REPLIES
    if 0 < limit <= Reply.objects.open().visible_to(owner).count():
        detail = _("{limit} of your answers are on their way already. Wait for one, or stop it.")
        raise _exceeded(format_lazy(detail, limit=limit), retry_after_s=OPEN_REPLIES_RETRY_S)


def check_runs(owner: User) -> None:
    """Refuse one more run through a document than a person may have at once: 1 or 2 queries.

    Within the transaction that begins it: the person's others wait for its end, on whichever
    instance they are, so that two cannot both be the last one.

    Raises:
        ChatError: quota_exceeded.
    """
    limit = settings.VL_PERSON_RUNS
    if not limit:
        return
    lock(owner)
    if limit <= DocumentRun.objects.visible_to(owner).running().count():
        detail = _("{limit} of your documents are being read already. Wait for one, or stop it.")
        raise _exceeded(format_lazy(detail, limit=limit), retry_after_s=OPEN_REPLIES_RETRY_S)


def add_tokens(owner_id: int, tokens: int) -> None:
    """Count what an answer cost, on the day of its end: 1 query, two more for a day's first."""
    rows = DailyUse.objects.filter(owner_id=owner_id, day=timezone.localdate())
    if not rows.update(tokens=F("tokens") + tokens):
        first = DailyUse(owner_id=owner_id, day=timezone.localdate())
        DailyUse.objects.bulk_create([first], ignore_conflicts=True)
        rows.update(tokens=F("tokens") + tokens)


def check_storage(owner: User, size_bytes: int, *, is_kept_now: bool = False) -> None:
    """Refuse a picture or PDF that its person has no room for: 2 queries.

    Where it `is_kept_now`, within this transaction, the person's other uploads wait for its end, so
    that two cannot both take the last room: 1 query more.

    Raises:
        ChatError: quota_exceeded.
    """
    limit = settings.VL_PERSON_STORAGE_BYTES
    if not limit:
        return
    if is_kept_now:
        lock(owner)
    held = (Image.objects.visible_to(owner), Document.objects.visible_to(owner))
    sums = [rows.aggregate(total=Sum("size_bytes"))["total"] or 0 for rows in held]
    if sum(sums) + size_bytes > limit:
        detail = _(
            "Your pictures and PDFs fill the {limit} GiB you have. Delete conversations to go on."
        )
        raise _exceeded(format_lazy(detail, limit=f"{limit / 2**30:.3g}"))


def lock(owner: User) -> None:
    """Let others who ask for the same person, on any instance, wait until this transaction ends."""
    list(get_user_model().objects.select_for_update().filter(pk=owner.pk).values_list("pk"))


def _used_up(detail: _StrPromise) -> ChatError:
    """Refuse until the day of the server's time zone is over."""
    now = timezone.localtime()
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    return _exceeded(detail, retry_after_s=max(1.0, (midnight - now).total_seconds()))


def _exceeded(detail: _StrPromise, *, retry_after_s: float | None = None) -> ChatError:
    return ChatError(ErrorCode.QUOTA_EXCEEDED, detail=detail, retry_after_s=retry_after_s)
