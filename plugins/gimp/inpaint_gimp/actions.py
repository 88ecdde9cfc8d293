"""Implement the procedures, from GIMP's argument values to the layers in the image."""

from __future__ import annotations

from pathlib import Path

from gi.repository import Gimp
from inpaint_client import DaemonInfo, EditJob, FillJob, Limits, Part

from .app import procedures
from .host.example_image import open_example
from .host.image import GimpImage, parasite_bytes
from .host.progress_bar import ProgressBar
from .host.target import check_floating
from .runs.arguments import FillSettings, fill_arguments
from .runs.calls import Call, make_layers
from .runs.capture import Captured, capture, fill_job, find_target
from .runs.collector import Collector
from .runs.edits import parse_edits
from .runs.last_values import read_values, record_name
from .runs.mixing import mixed_of, mixing_of, read_mix
from .runs.reopen import reopen
from .runs.segment import mask_of, numbered_face, segment_job, step_of, touched_faces
from .runs.service import draw_seed, run_and_wait, segment_and_wait
from .runs.steps import run_all


def run_fill(call: Call) -> None:
    """Fill the selection: with the dialog if interactive, else directly."""
    if call.is_interactive:
        from .ui.fill_dialog import fill_with_dialog  # GTK requires a display

        fill_with_dialog(call)
    else:
        settings = FillSettings.read(call.config.get_property).with_seed(draw_seed)
        repeats = call.run_mode == Gimp.RunMode.WITH_LAST_VALS
        fill_now(GimpImage(call.image, call.drawables), settings, repeats=repeats)


def run_again(call: Call) -> None:
    """Fill with the last settings of the fill procedure and a new seed."""
    values = read_values(last_record(call.image), fill_arguments()) | {"new-seed": True}
    settings = FillSettings.read(values.__getitem__).with_seed(draw_seed)
    fill_now(GimpImage(call.image, call.drawables), settings, repeats=True)


def fill_now(image: GimpImage, settings: FillSettings, *, repeats: bool) -> None:
    """Fill without a dialog, with GIMP's progress bar; the image changes only at the end.

    Args:
        image: the image.
        settings: what to request; the candidates are as many as the model can make.
        repeats: whether they are the last settings, so that edits which the model refuses are left
            out. The daemon refuses those of a script.
    """
    target = find_target(image, settings.from_layer)
    collector = Collector(settings.edits, settings.variants)
    read: list[Captured] = []

    def make(info: DaemonInfo) -> FillJob:
        read.append(run_all(capture(image, target, info.limits)))
        model = info.model(settings.model)
        possible = settings.possible(model)
        if repeats:
            possible = possible.without_refused_edits(model)
        return fill_job(read[0].capture, possible)

    with ProgressBar() as progress:
        run_and_wait(make, collector, progress.report)
    insert = run_all(make_layers(image, read[0], settings, collector.renderings, chosen=0))
    insert()
    for warning in collector.warnings:
        Gimp.message(warning)


def run_edit(call: Call) -> None:
    """Reopen the fill of the selected layer and render it with other edits."""
    image = GimpImage(call.image, call.drawables)
    opened = reopen(image)
    if call.is_interactive:
        from .ui.edit_dialog import edit_with_dialog

        edit_with_dialog(call, opened)
        return
    edits = parse_edits(call.config.get_property("edits") or "")
    others = opened.layers.others(opened.result.recipe)
    mix = read_mix(call.config.get_property, others)
    mixing = mixing_of(mix, others, opened.layers.look, Limits())
    collector = Collector(edits)
    with ProgressBar() as progress:
        job = EditJob(source=opened.source(), edits=edits, mixing=mixing)
        run_and_wait(lambda info: job, collector, progress.report)
    rendering = collector.renderings[0]._replace(
        mix=mix, mixed=mixed_of(opened.unmixed, mix, mixing, others)
    )
    insert = run_all(
        opened.make_layer(rendering, in_place=bool(call.config.get_property("replace")))
    )
    insert()
    Gimp.displays_flush()


def run_select(call: Call) -> None:
    """Replace the selection by a part of the faces; nothing else changes."""
    of_menu = procedures.SELECT_PART.get(call.procedure.get_name())
    part = of_menu or Part[call.config.get_property("part").upper()]
    image = GimpImage(call.image, call.drawables)
    check_floating(image.items())
    with ProgressBar() as progress:
        found = segment_and_wait(
            lambda info: segment_job(image, part, info.limits), progress.report
        )
    if of_menu is not None:
        faces = touched_faces(image, found)
    elif part is Part.BACKGROUND:  # has no face
        faces = ()
    else:
        faces = numbered_face(found, call.config.get_property("face"))
    mask = mask_of(found, part, faces)
    image.select(mask, step_of(image, mask.extent))
    Gimp.displays_flush()


def run_example() -> None:
    """Open the example portrait as a new image."""
    open_example()


def last_record(image: Gimp.Image) -> str:
    """Return GIMP's record of the last fill in this image, else of the last fill, else empty."""
    name = record_name(procedures.FILL)
    parasite = image.get_parasite(f"{name}-last")
    if parasite is not None:
        return parasite_bytes(parasite).decode("utf-8", "replace")
    path = Path(Gimp.directory()) / "plug-in-settings" / f"{name}.last"
    return path.read_text("utf-8", "replace") if path.is_file() else ""
