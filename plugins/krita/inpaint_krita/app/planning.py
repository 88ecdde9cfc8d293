"""From what the artist has set and selected to a run, or to the sentence why there is none."""

from __future__ import annotations

from collections.abc import Collection

from inpaint_client.geometry import Box
from inpaint_client.info import Limits, Model
from inpaint_client.requests import Edits

from ..host.colour import route
from ..host.document_protocol import Document
from ..host.layer_placement import source_of, spot_above
from ..host.scratch import Scratch
from ..host.selection import box_of
from ..runs.run_fill import Plan
from ..runs.wishes import Wishes
from ..text import tr
from .notices import nothing_selected
from .state import Notice


def plan_run(
    document: Document,
    scratch: Scratch,
    wishes: Wishes,
    model: Model | None,
    edits: Edits,
    limits: Limits,
    result_groups: Collection[str],
) -> tuple[Plan | None, Notice | None]:
    """Return the run, and a remark on it; or no run, and the reason.

    `result_groups` are ids of the groups of earlier runs, which new ones do not go into.
    """
    active = document.active_node()
    if active is None:
        return None, Notice(tr("Click a layer first: the result goes above it."))
    selection = document.selection()
    box = Box(0, 0, 0, 0) if selection is None else box_of(selection)
    if selection is None or Box.of_extent(document.extent).clamp(box).is_empty:
        return None, nothing_selected(selection is not None)
    try:
        route(document.space)
        spot = spot_above(active, lambda node: document.id_of(node) in result_groups)
    except (KeyError, ValueError):
        return None, Notice(
            tr("This kind of picture cannot be filled. Convert it to RGB, gray or CMYK.")
        )
    source = source_of(active, wishes.all_visible)
    remark = source.notice or spot.notice
    plan = Plan(
        pixels=document.pixels(source, selection, scratch),
        selection=box,
        space=document.space,
        spot=spot,
        source="" if source.node is None else document.id_of(source.node),
        wishes=wishes,
        edits=edits,
        limits=limits,
        model_name=model.name if model else wishes.model,
        model_title=(model.title or model.name) if model else wishes.model,
    )
    return plan, Notice(remark, is_problem=False) if remark else None
