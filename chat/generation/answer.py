"""Answers one claimed reply: drives inference, keeps the text, tells the followers."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, transaction

from chat.errors import ErrorCode
from chat.generation import claim as claims
from chat.generation import news
from chat.generation.reply_log import StaleAttemptError
from chat.generation.request import request_for
from chat.services import quotas
from inference.errors import ErrorCode as InferenceCode
from inference.errors import InferenceError
from inference.requests import (
    TERMINAL_EVENTS,
    Failed,
    Finished,
    FinishReason,
    StageProgress,
    TextDelta,
)

if TYPE_CHECKING:
    from chat.generation.claim import Claim
    from chat.generation.reply_log import ReplyLog
    from inference.requests import Event
    from inference.service import Generation, InferenceService

logger = logging.getLogger(__name__)

COALESCE_S = 0.04  # text is relayed at most 25 times a second
CHECKPOINT_S = 1.0
CHECKPOINT_TOKENS = 16
RENEW_S = 3.0
SPEED_S = 1.0  # how often followers are told the number of tokens
# Of options that no frame can carry: here they would be our own mistake.
TOLD_AS: dict[str, str] = {InferenceCode.INVALID_OPTIONS: ErrorCode.GENERATION_FAILED}


class Answer:
    """The answering of one claimed reply, from the claim to its end, in the calling thread."""

    def __init__(self, claim: Claim, service: InferenceService, log: ReplyLog) -> None:
        """Take over what earlier attempts kept."""
        self.claim = claim
        self._service = service
        self._log = log
        self._text = claim.reply.text
        self._token_ids: list[int] = list(claim.reply.token_ids)
        self._unsent = ""
        self._sent_at = 0.0
        self._kept_at = self._renewed_at = self._counted_at = time.monotonic()
        self._kept_tokens = len(self._token_ids)
        self._generation: Generation | None = None
        self._is_cancelled = self._is_released = self._is_lost = False

    def release(self) -> None:
        """Stop as `cancel` does, but for another worker to go on: the process is ending."""
        self._is_released = True
        self.cancel()

    def cancel(self) -> None:
        """Stop within a token; callable from any thread, also before generation began."""
        self._is_cancelled = True
        if self._generation is not None:
            self._generation.cancel()

    def run(self) -> None:
        """Write the answer to its end; no terminal event where another attempt is to write it.

        Raises:
            DatabaseError, InterfaceError: the reply stays leased, until its lease runs out.
        """
        reply_id = self.claim.reply_id
        try:
            self._log.start(reply_id, self.claim.attempt, self._text)
            self._conclude(self._generate())
        except (claims.LeaseLostError, StaleAttemptError) as error:
            self._give_up(error)
        except (DatabaseError, InterfaceError):
            # The row keeps the last checkpoint; its lease runs out, and another attempt goes on.
            self.cancel()
            raise
        except Exception:
            logger.exception("answer: reply %s failed", reply_id)
            self.cancel()
            self._fail(ErrorCode.GENERATION_FAILED, "unexpected")
        finally:
            # From here on followers read the row, or the log of the next attempt.
            self._log.end(reply_id, self.claim.attempt, is_lost=self._is_lost)
        news.reply_ended(reply_id)

    def _generate(self) -> Finished | Failed:
        """Drive inference to its terminal event."""
        try:
            request = request_for(self.claim.reply, is_demo=self._service.state.demo)
            self._generation = generation = self._service.submit(request)
        except InferenceError as error:
            return Failed(error.code, error.message, error.retryable)
        if self._is_cancelled or claims.renew(self.claim):
            generation.cancel()
        if self.claim.reply.is_taken_over:
            self._tell_stage({"stage": "prefill", "resumed": True})
        while True:
            event = generation.next_event(timeout_s=COALESCE_S if self._unsent else 0.25)
            # First of all: who slept must learn of a loss before anything is written.
            self._renew_when_due(generation)
            if isinstance(event, TERMINAL_EVENTS):
                self._send()
                return event
            self._take(event)
            self._keep_up()

    def _renew_when_due(self, generation: Generation) -> None:
        now = time.monotonic()
        if now - self._renewed_at >= RENEW_S:
            if claims.renew(self.claim):
                generation.cancel()
            self._renewed_at = now

    def _take(self, event: Event | None) -> None:
        if isinstance(event, TextDelta):
            self._token_ids += event.token_ids
            self._text += event.text
            self._unsent += event.text
        elif isinstance(event, StageProgress):
            status: dict[str, Any] = {
                "stage": event.stage.value,
                "done": event.done,
                "total": event.total,
                "eta_s": event.eta_s,
            }
            self._tell_stage(status)

    def _keep_up(self) -> None:
        """Do what has fallen due: relay text, keep it in the row, tell the speed."""
        now = time.monotonic()
        if self._unsent and now - self._sent_at >= COALESCE_S:
            self._send()
            self._sent_at = now
        new_tokens = len(self._token_ids) - self._kept_tokens
        is_due = now - self._kept_at >= CHECKPOINT_S or new_tokens >= CHECKPOINT_TOKENS
        if new_tokens and is_due:
            claims.checkpoint(self.claim, text=self._text, token_ids=self._token_ids)
            self._kept_at, self._kept_tokens = now, len(self._token_ids)
        if new_tokens and now - self._counted_at >= SPEED_S:
            total = self.claim.reply.options["max_tokens"]
            self._tell_stage({"stage": "decode", "done": len(self._token_ids), "total": total})
            self._counted_at = now

    def _send(self) -> None:
        if not self._unsent:
            return
        text, self._unsent = self._unsent, ""
        offset = self._log.append(self.claim.reply_id, self.claim.attempt, text)
        news.text_added(self.claim.reply_id, offset=offset, text=text)

    def _tell_stage(self, status: dict[str, Any]) -> None:
        self._log.set_status(self.claim.reply_id, self.claim.attempt, status)
        news.stage_changed(self.claim.reply_id, status)

    def _conclude(self, event: Finished | Failed) -> None:
        if self._is_to_be_continued(event):
            claims.checkpoint(self.claim, text=self._text, token_ids=self._token_ids)
            claims.give_back(self.claim)
        elif isinstance(event, Finished):
            self._finish(event)
        else:
            self._fail(TOLD_AS.get(event.code, event.code), event.message)

    def _is_to_be_continued(self, event: Finished | Failed) -> bool:
        """Say whether only the end of this process broke the answer off."""
        if not self._is_released:
            return False
        if isinstance(event, Failed):  # the service closed before the slot noticed its stop
            return event.retryable
        return event.finish_reason == FinishReason.STOPPED and not claims.renew(self.claim)

    def _finish(self, event: Finished) -> None:
        reply = self.claim.reply
        started_at = reply.started_at or reply.queued_at
        # The two moments may come from two machines' clocks.
        queued_ms = max(0, round((started_at - reply.queued_at).total_seconds() * 1000))
        outcome = claims.Outcome(
            text=self._text,
            token_ids=self._token_ids,
            finish_reason=event.finish_reason.value,
            usage=dataclasses.asdict(event.usage),
            timings={"queued_ms": queued_ms, **dataclasses.asdict(event.timings)},
            model=event.model,
            is_demo=event.demo,
        )
        # Of an answer that was gone on with, what it cost before has been counted.
        before = reply.usage.get("completion_tokens", 0)
        tokens = event.usage.prompt_tokens + max(0, event.usage.completion_tokens - before)
        with transaction.atomic():
            claims.finish(self.claim, outcome)
            quotas.add_tokens(reply.message.conversation.owner_id, tokens)

    def _fail(self, code: str, reason: str) -> None:
        logger.warning("answer: reply %s failed: %s (%s)", self.claim.reply_id, code, reason)
        try:
            claims.fail(self.claim, ErrorCode(code), text=self._text)
        except claims.LeaseLostError as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        logger.warning("answer: gave up: %s", error)
        self._is_lost = True
        self.cancel()
