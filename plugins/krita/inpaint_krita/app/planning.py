"""Plan a run from the settings and the selection, or explain why it is impossible."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from inpaint_client.geometry import Box
from inpaint_client.info import Limits, Model
from inpaint_client.requests import Edits
from inpaint_client.session.history import PastRun

from ..host.color import route
from ..host.document_protocol import Document
from ..host.layer_placement import Node, position_above, source_of
from ..host.scratch import Scratch
from ..host.selection import Selection, box_of
from ..runs.fill_settings import FillSettings
from ..runs.run_fill import Plan
from ..text import tr
from .notices import nothing_selected
from .state import Notice


class Target(NamedTuple):
    """What a run fills, where that is not what the artist has chosen in the document."""

    layer: str = ""  # ID of the layer to place the candidates above; empty = the active one
    selection: Selection | None = None  # None = the document's
    edits: Edits | None = None  # of new candidates; None = those of the sliders


def plan_run(
    document: Document,
    scratch: Scratch,
    fill_settings: FillSettings,
    model: Model | None,
    edits: Edits,
    limits: Limits,
    earlier: Iterable[PastRun],
    target: Target = Target(),  # noqa: B008 (a value)
) -> tuple[Plan | None, Notice | None]:
    """Plan a run.

    The new layers are placed outside the groups of `earlier` runs, and above those they overlap;
    if a layer is given, only above those that were made from it.

    Returns:
        The plan and an optional remark, or None and the reason.
    """
    active = document.find(target.layer) if target.layer else document.active_node()
    if target.layer:
        earlier = [run for run in earlier if run.source == target.layer]
    if active is None:
        return None, Notice(tr("Select a layer first. The candidates are placed above it."))
    selection = target.selection or document.selection()
    box = Box(0, 0, 0, 0) if selection is None else box_of(selection)
    if selection is None or Box.of_extent(document.extent).clamp(box).is_empty:
        return None, nothing_selected(not box.is_empty)
    try:
        route(document.space)
        insert_position = position_above(active, box, _fill_box(document, earlier))
    except (KeyError, ValueError):
        return None, Notice(
            tr(
                "Images with this color model cannot be filled. Convert the image to RGB, "
                "grayscale or CMYK."
            )
        )
    source = source_of(active, fill_settings.all_visible)
    remark = source.notice or insert_position.notice
    plan = Plan(
        pixels=document.pixels(source, selection, scratch),
        selection=box,
        space=document.space,
        insert_position=insert_position,
        source="" if source.node is None else document.id_of(source.node),
        fill_settings=fill_settings,
        edits=edits,
        limits=limits,
        model_name=model.name if model else fill_settings.model,
        model_title=(model.title or model.name) if model else fill_settings.model,
    )
    return plan, Notice(remark, is_problem=False) if remark else None


def _fill_box(document: Document, runs: Iterable[PastRun]) -> Callable[[Node], Box | None]:
    """Return a function that maps a layer of a run to its box, and any other layer to None."""
    holes = {
        layer: run.hole_box
        for run in runs
        for layer in (run.group, run.kept, *(result.layer for result in run.results))
        if layer
    }

    def box_of_fill(node: Node) -> Box | None:
        layer = document.id_of(node)
        return (document.bounds(layer) or holes[layer]) if layer in holes else None

    return box_of_fill
