"""The rows that a sequence brings to a step: its next tokens, and the picture features on them.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from inference.engine.sequence import EngineSequence
from inference.engine.text import FeatureSpan, SequenceRows


def make_rows(sequence: EngineSequence, count: int, *, draft: Sequence[int] = ()) -> SequenceRows:
    """Return the next `count` pending tokens of a sequence as rows of a step, a draft behind them.

    Its tokens stand where those of the answer will. The pages must have room for them. Scored is
    what comes behind the last pending token, and behind each of the draft.

    Raises:
        KeyError: a picture among the rows has not been encoded.
        ValueError: the sequence holds no pages.
    """
    if sequence.pages is None:
        raise ValueError("a sequence without pages has no place for its rows")
    first, last = sequence.computed, sequence.computed + count
    return SequenceRows(
        token_ids=[*sequence.token_ids(first, last), *draft],
        positions=sequence.positions(first, last + len(draft)),
        first_index=first,
        pages=sequence.pages.pages,
        features=_list_spans(sequence, first, last),
        scored=1 + len(draft) if count == sequence.pending else 0,
    )


def _list_spans(sequence: EngineSequence, first: int, last: int) -> list[FeatureSpan]:
    """Return the pieces of pictures that fall between two tokens."""
    spans = []
    for picture in sequence.prompt.pictures:
        start, end = max(first, picture.first_token), min(last, picture.end_token)
        if start < end:
            spans.append(
                FeatureSpan(
                    features=sequence.features[picture.digest],
                    first_row=start - first,
                    first_token=start - picture.first_token,
                    count=end - start,
                )
            )
    return spans
