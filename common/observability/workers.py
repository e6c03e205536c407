"""`process_*` and `python_gc_*` of all workers together, for `WEB_CONCURRENCY` above 1: prometheus_client's
multi-process mode omits both."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import Counter, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

SMALLEST = {"process_start_time_seconds", "process_max_fds"}
"""Reported as the minimum of all workers; other metrics are their sum."""


def siblings() -> list[int]:
    """The ids of all workers of this server: the children of our parent."""
    parent = os.getppid()
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


class WorkersCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        """Reads /proc of every worker; omits one that has just ended."""
        values: dict[str, list[float]] = {}
        families: dict[str, Metric] = {}
        for pid in siblings():
            for family in ProcessCollector(pid=lambda pid=pid: pid, registry=None).collect():  # type: ignore[misc]
                families.setdefault(family.name, family)
                values.setdefault(family.name, []).append(family.samples[0].value)
        for name, family in families.items():
            value = min(values[name]) if name in SMALLEST else sum(values[name])
            kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
            yield kind(name, family.documentation, value=value)


GARBAGE = {
    "collected": Counter("python_gc_objects_collected", "Objects collected during gc", ("generation",), registry=None),
    "uncollectable": Counter(
        "python_gc_objects_uncollectable", "Uncollectable objects found during GC", ("generation",), registry=None
    ),
    "collections": Counter(
        "python_gc_collections", "Number of times this generation was collected", ("generation",), registry=None
    ),
}
"""GCCollector's names, by the keys of `gc.get_stats`."""

_counted: dict[tuple[int, str], int] = {}


def count_garbage() -> None:
    """Adds the garbage collected since the last call to the counters of this worker."""
    for generation, stats in enumerate(gc.get_stats()):
        for key, counter in GARBAGE.items():
            counter.labels(str(generation)).inc(stats[key] - _counted.get((generation, key), 0))
            _counted[generation, key] = stats[key]
