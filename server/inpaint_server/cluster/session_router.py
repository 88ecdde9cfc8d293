"""Routing of requests to replicas: an edit goes to the replica that holds its session."""

from __future__ import annotations

import random

from ray.serve.request_router import (
    FIFOMixin,
    MultiplexMixin,
    PendingRequest,
    RequestRouter,
    RunningReplica,
)


class SessionRouter(FIFOMixin, MultiplexMixin, RequestRouter):
    """Router by session, by loaded model, and then by the power of two choices.

    The ID of a session begins with that of its replica. If the replica is gone, any other one is
    chosen, which answers that it does not know the session, and the client sends the recipe.
    """

    async def choose_replicas(
        self,
        candidate_replicas: list[RunningReplica],
        pending_request: PendingRequest | None = None,
    ) -> list[list[RunningReplica]]:
        """Return the replica of the session, or two of which the one with less work is used."""
        metadata = pending_request.metadata if pending_request else None
        home = metadata.session_id.partition(".")[0] if metadata else ""
        for replica in candidate_replicas:
            if home and replica.replica_id.unique_id == home:
                return [[replica]]
        candidates = candidate_replicas
        if metadata and metadata.multiplexed_model_id:
            preferred = self.apply_multiplex_routing(pending_request=pending_request)
            candidates = [each for each in candidates if each.replica_id in preferred]
        return [random.sample(candidates, min(2, len(candidates)))]
