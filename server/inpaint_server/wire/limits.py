"""Limits of the wire protocol. `Info` reports all of them, so that clients need not try."""

from __future__ import annotations

from inpaint_model.document.grouping import MAX_GROUPS
from inpaint_model.pipeline.recipe import MAX_RECIPE_BYTES
from inpaint_protos.v1 import inpaint_pb2 as pb

from ..config import ServerConfig
from .parsing import (
    MAX_ATTACHMENT_BYTES,
    MAX_CONTEXT_SIDE,
    MAX_DOCUMENT_SIDE,
    MAX_EDITS,
    MAX_MIXED_SIDE,
    MAX_MIXINGS,
    MAX_OVERVIEW_SIDE,
    MAX_SEGMENT_SIDE,
)
from .uploads import MAX_CHUNK_BYTES

MAX_MESSAGE_BYTES = 64 << 20  # a header with inline images; larger images are sent in chunks
MAX_CALLS = 512  # open calls without health watches; far more than the length of the queue


def limits_message(config: ServerConfig, budget: int) -> pb.Limits:
    """Return the limits of the settings and of the wire protocol.

    Args:
        config: the settings.
        budget: bytes that all requests and kept sessions share.
    """
    limits = config.limits
    return pb.Limits(
        max_picture_bytes=limits.max_picture_bytes,
        max_side=limits.max_side,
        max_seeds=limits.max_seeds,
        max_variants=limits.max_variants,
        max_queue=limits.max_queue,
        max_context_side=min(MAX_CONTEXT_SIDE, limits.max_side),
        max_message_bytes=MAX_MESSAGE_BYTES,
        max_chunk_bytes=MAX_CHUNK_BYTES,
        max_overview_side=min(MAX_OVERVIEW_SIDE, limits.max_side),
        max_mixing_side=min(MAX_MIXED_SIDE, limits.max_side),
        max_document_side=MAX_DOCUMENT_SIDE,
        max_edits=MAX_EDITS,
        max_recipe_bytes=MAX_RECIPE_BYTES,
        max_attachment_bytes=MAX_ATTACHMENT_BYTES,
        max_regions=MAX_GROUPS,
        max_pending_bytes=budget,
        max_calls=MAX_CALLS,
        max_sessions=limits.max_sessions,
        max_session_bytes=limits.max_session_bytes,
        session_ttl_s=config.session_ttl_s,
        idle_s=config.idle_s,
        max_segment_side=min(MAX_SEGMENT_SIDE, limits.max_side),
        max_mixings=MAX_MIXINGS,
    )
