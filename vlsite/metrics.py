"""`/metrics`: what this process and those who answer do, in Prometheus' text form.

Only with VL_METRICS_TOKEN, as a bearer token; without it, or with another one, there is no such
page. Nothing is counted here: at each request the numbers are read where they are kept.
"""

from __future__ import annotations

import secrets
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import generate_latest

from chat.drain import drain
from chat.generation import local
from chat.models import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from prometheus_client.core import Metric

    from chat.generation.workers import LiveStats, ModelStats

    Named = tuple[str, str, Callable[[LiveStats], float]]
    NamedOfModel = tuple[str, str, Callable[[ModelStats], float]]

T = TypeVar("T")
WORKER = ("worker",)
GAUGES: Sequence[Named] = (
    ("vl_running_answers", "Answers that are being written", lambda s: s.running),
    ("vl_slots", "Answers that can be written at once", lambda s: s.slots),
    ("vl_tokens_per_second", "Tokens a second over the last five", lambda s: s.tokens_per_s),
    ("vl_memory_bytes", "What of the process is in memory", lambda s: s.memory_bytes),
)
COUNTERS: Sequence[Named] = (
    ("vl_tokens", "Tokens written", lambda s: s.tokens),
    ("vl_finished_answers", "Answers that ended well, or were stopped", lambda s: s.finished),
    ("vl_failed_answers", "Answers that failed", lambda s: s.failed),
)
MODEL_GAUGES: Sequence[NamedOfModel] = (
    ("vl_batch", "Answers in the latest step", lambda m: m.batch or 0),
    ("vl_cache_tokens", "Room of the cache of conversations", lambda m: m.cache_tokens),
    ("vl_cache_used_tokens", "What of it is taken", lambda m: m.cache_used_tokens),
    ("vl_picture_cache_bytes", "Memory of seen pictures", lambda m: m.picture_bytes),
)
MODEL_COUNTERS: Sequence[NamedOfModel] = (
    ("vl_drafted_tokens", "Tokens that were guessed ahead", lambda m: m.drafted_tokens),
    ("vl_kept_tokens", "Guessed tokens that were right", lambda m: m.kept_tokens),
    ("vl_cache_hit_tokens", "Prompt tokens found in the cache", lambda m: m.cache_hit_tokens),
    ("vl_cache_miss_tokens", "Prompt tokens that were computed", lambda m: m.cache_miss_tokens),
)


@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with all metrics.

    Raises:
        Http404: there is no token, or it is not the one that was sent.
    """
    if not _is_allowed(request):
        raise Http404
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(_Collector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _is_allowed(request: HttpRequest) -> bool:
    token = settings.VL_METRICS_TOKEN
    sent = request.headers.get("authorization", "")
    return bool(token) and secrets.compare_digest(sent.encode(), f"Bearer {token}".encode())


class _Collector:
    """Gives each metric, read now."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("vl_sockets", "Sockets open in this process", drain.sockets)
        yield from _count_replies()
        told = [(beat.owner, beat.stats) for beat in local.answerer().beats if beat.stats]
        yield from _measure(told, GAUGES, COUNTERS)
        models = [(owner, stats.model) for owner, stats in told if stats.model]
        yield from _measure(models, MODEL_GAUGES, MODEL_COUNTERS)
        yield _spread_first_tokens(told)

    def describe(self) -> list[Metric]:
        """Spare the registry a collection at registration."""
        return []


def _count_replies() -> Iterator[Metric]:
    counts = dict(Reply.objects.values_list("state").annotate(Count("pk")).order_by())
    replies = GaugeMetricFamily("vl_replies", "Replies by state", labels=("state",))
    for state in Reply.State.values:
        replies.add_metric((state,), counts.get(state, 0))
    yield replies
    queued = counts.get(Reply.State.QUEUED.value, 0)
    yield GaugeMetricFamily("vl_queue_length", "Replies that wait for somebody", queued)


def _measure(
    told: list[tuple[str, T]],
    gauges: Sequence[tuple[str, str, Callable[[T], float]]],
    counters: Sequence[tuple[str, str, Callable[[T], float]]],
) -> Iterator[Metric]:
    for kind, named in ((GaugeMetricFamily, gauges), (CounterMetricFamily, counters)):
        for name, text, read in named:
            family = kind(name, text, labels=WORKER)
            for owner, stats in told:
                family.add_metric((owner,), read(stats))
            yield family


def _spread_first_tokens(told: list[tuple[str, LiveStats]]) -> Metric:
    family = HistogramMetricFamily(
        "vl_first_token_seconds", "From a worker's claim to the first token", labels=WORKER
    )
    for owner, stats in told:
        first = stats.first_tokens
        bounds = [*map(str, first.bounds_s), "+Inf"]
        buckets = list(zip(bounds, accumulate(first.counts), strict=True))
        family.add_metric((owner,), buckets, first.sum_s)
    return family
