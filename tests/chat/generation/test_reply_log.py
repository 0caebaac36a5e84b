"""The reply log in memory."""

from __future__ import annotations

import pytest

from chat.generation.reply_log import MemoryReplyLog, ReplyLog
from tests.chat.generation.reply_log_contract import ReplyLogContract


class TestMemoryReplyLog(ReplyLogContract):
    """The log's home in this process."""

    now_s = 1000.0

    @pytest.fixture
    def log(self) -> ReplyLog:
        """Make an empty log, on a clock that stands still."""
        return MemoryReplyLog(lambda: self.now_s)

    def let_pass(self, log: ReplyLog, seconds: float) -> None:
        """Turn the clock."""
        self.now_s += seconds
