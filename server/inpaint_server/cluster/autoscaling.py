"""How many replicas there should be, decided by how long requests wait.

Ray Serve pickles this module for its controller, which need not have our package, so it imports
nothing of it. Serve itself applies the limits and delays of `AutoscalingConfig`.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray.serve.config import AutoscalingContext

LARGEST_STEP = 2.0  # factor by which one decision may multiply the number of replicas
CALM = 0.25  # fraction of the target below which replicas may be removed
BUSY_AFTER_REMOVAL = 0.7  # share of the time that the remaining replicas may be busy


class QueueTimePolicy:
    """Keep the longest wait of a request near a target."""

    def __init__(self, target_s: float) -> None:
        """Set the target, in seconds."""
        self._target_s = target_s

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """Return the number of replicas, and an empty state."""
        measured = context.aggregated_metrics or {}
        waits = list(measured.get("queue_s", {}).values())
        busy = list(measured.get("busy", {}).values())
        count = context.current_num_replicas
        rejected = context.total_queued_requests or 0.0  # wait outside of the replicas
        return replicas_for(
            count, max(waits, default=0.0), sum(busy), self._target_s, rejected > 0
        ), {}


def replicas_for(
    count: int, wait_s: float, busy: float, target_s: float, has_rejected: bool = False
) -> int:
    """Return the number of replicas that brings the longest wait near the target.

    Args:
        count: current number of replicas.
        wait_s: the longest wait on any replica, in seconds.
        busy: how many replicas are busy, as the sum of their shares.
        target_s: the target, in seconds.
        has_rejected: whether requests wait because no replica accepts them.
    """
    if has_rejected:
        wait_s = max(wait_s, LARGEST_STEP * target_s)
    if wait_s > target_s:
        return ceil(count * min(wait_s / target_s, LARGEST_STEP))
    if wait_s < CALM * target_s and count > 1 and busy <= BUSY_AFTER_REMOVAL * (count - 1):
        return count - 1
    return count
