"""One step of the text network: rows of several sequences in, scores for their next tokens out.

It commits what was computed and tells prompts how far they are; who takes part is the scheduler's
decision, and what the scores mean too. A draft's rows are computed and not committed: whoever does
not keep them only goes on, and the next step overwrites them. Letters: V vocabulary, k tokens of a
draft.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from torch import Tensor

from inference.engine.network import Network, TextRun
from inference.engine.pace import Pace
from inference.engine.prompt_rows import make_rows
from inference.engine.sequence import EngineSequence, PromptRead, Standing
from inference.engine.sequence_memory import SequenceMemory


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a sequence's pending tokens take part in a step, and a draft of the next ones.

    Only behind all pending tokens may there be a draft, on pages that the sequence holds.
    """

    sequence: EngineSequence
    rows: int
    draft: tuple[int, ...] = ()

    @property
    def width(self) -> int:
        """Return how many rows of the step there are."""
        return self.rows + len(self.draft)

    @property
    def is_prompt(self) -> bool:
        """Say whether they are read, not written."""
        return self.sequence.standing is Standing.PREFILLING

    def look_ahead(self) -> None:
        """Begin to find out what may come behind these rows, where the answer has a schema."""
        constraint = self.sequence.rule.constraint
        if constraint is not None and self.rows == self.sequence.pending:
            constraint.look_ahead(self.draft)

    def wait_allowed(self) -> Sequence[Tensor | None]:
        """Return which tokens may come, bool (V,), next and behind each of the draft; None: any.

        Only of a share with nothing pending any more.
        """
        constraint = self.sequence.rule.constraint
        return [None] * (1 + len(self.draft)) if constraint is None else constraint.wait()


class TextLane:
    """Runs steps of the text network."""

    def __init__(
        self, network: Network, memory: SequenceMemory, *, pace: Pace, clock: Callable[[], float]
    ) -> None:
        """Work on the pages of `memory`, and let `pace` learn from it."""
        self._network = network
        self._memory = memory
        self._pace = pace
        self._clock = clock

    def work(
        self, shares: Sequence[Share], look_up: Callable[[], None]
    ) -> list[tuple[Share, Tensor]]:
        """Compute the rows; return scores (1 + k, V) for each share with nothing pending then.

        The first are those behind the last pending token, then those behind each of the draft.
        Calls `look_up` between two layers, where prompts are read.

        Stops between two layers, with nothing computed, when all sequences are cancelled.
        """
        began = self._clock()
        prompt_rows = sum(share.rows for share in shares if share.is_prompt)
        run = self._network.start_text(
            [make_rows(share.sequence, share.rows, draft=share.draft) for share in shares]
        )
        # Only prompts make a step so long that its askers may leave it in the middle.
        while run.step(1 if prompt_rows else None):
            if all(share.sequence.is_cancelled for share in shares):
                return []
            _tell_prompts(shares, run)
            look_up()
        for share in shares:
            self._memory.commit(share.sequence, share.rows)
            if share.is_prompt:
                share.sequence.emit(PromptRead(share.sequence.computed, share.sequence.length))
        scores = _read_scores(shares, run)
        if not any(share.draft for share in shares):  # else it took longer than such steps take
            decoding = sum(not share.is_prompt for share in shares)
            took_s = self._clock() - began
            self._pace.note_step(decoding=decoding, prompt_rows=prompt_rows, took_s=took_s)
        return scores


def _read_scores(shares: Sequence[Share], run: TextRun) -> list[tuple[Share, Tensor]]:
    ends = accumulate(share.width for share in shares)
    ready = [
        (share, range(end - len(share.draft) - 1, end))
        for share, end in zip(shares, ends, strict=True)
        if not share.sequence.pending
    ]
    if not ready:
        return []
    logits = run.logits([row for _, rows in ready for row in rows])
    parts = accumulate(len(rows) for _, rows in ready)
    return [
        (share, logits[end - len(rows) : end])
        for (share, rows), end in zip(ready, parts, strict=True)
    ]


def _tell_prompts(shares: Sequence[Share], run: TextRun) -> None:
    for share in shares:
        if share.is_prompt:
            sequence = share.sequence
            done = sequence.computed + share.rows * run.layers_done // run.layers
            sequence.emit(PromptRead(done, sequence.length))
