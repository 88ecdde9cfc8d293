"""A rendering, laid over the document and put into a message: pixel work, no device.

Runs in a thread of its own, so that neither the event loop nor the device waits for it.
"""

from __future__ import annotations

from inpaint_model.document.geometry import union
from inpaint_model.document.placement import Fitting
from inpaint_protos.v1 import inpaint_pb2 as pb

from ..filling.filling import Rendered, Scene
from ..filling.recipes import Group, Recipe, write_attachment, write_recipe
from .parsing import FRAME_MODE_NUMBERS, box_message, frame_message, resample_type, write_picture


def frames_chosen(scene: Scene) -> list[pb.FrameChosen]:
    """One message for each group of the hole."""
    return [
        pb.FrameChosen(
            group=k,
            frame=frame_message(placement.frame),
            confidence=placement.confidence,
            model_resolution=placement.resolution,
            enlargement=placement.enlargement,
            warning=placement.warning,
            mode=FRAME_MODE_NUMBERS[placement.mode],
            model=scene.model,
        )
        for k, placement in enumerate(scene.placements)
    ]


def prepare_laying(scene: Scene) -> None:
    """Make what all candidates are fitted to."""
    for placement in scene.placements:
        placement.surroundings.prepare(scene.blending)


def attachment_of(scene: Scene) -> bytes:
    """Return the PNG of what the encoder saw; the same for all candidates, so made once."""
    if scene.attachment is None:
        scene.attachment = write_attachment([placement.source for placement in scene.placements])
    return scene.attachment


def candidate_event(scene: Scene, rendered: Rendered) -> pb.FillEvent:
    """Patches in document pixels, and the recipe."""
    event = pb.FillEvent()
    candidate = event.candidate
    candidate.index = rendered.index
    candidate.variant = rendered.variant
    candidate.seed = rendered.made.seed
    for fitting, output in zip(_fittings(scene, rendered), rendered.outputs, strict=True):
        patch = fitting.laid() if rendered.unedited is None else fitting.laid_alike(output)
        message = candidate.patches.add(box=box_message(patch.box))
        fill = resample_type(patch.fill, scene.output_dtype)
        write_picture(message.fill, fill, scene.picture.linear)
        write_picture(message.coverage, patch.coverage, linear=False)
    candidate.recipe = write_recipe(recipe_of(scene, rendered))
    return event


def _fittings(scene: Scene, rendered: Rendered) -> list[Fitting]:
    """Return how every group's patch is fitted: as the candidate without edits and mixing is."""
    key = rendered.made.origin, scene.blending
    fittings = scene.fittings.get(key)
    if fittings is None:
        outputs = rendered.outputs if rendered.unedited is None else rendered.unedited
        pairs = zip(scene.placements, outputs, strict=True)
        fittings = [Fitting.of(place, output, scene.blending) for place, output in pairs]
        scene.fittings.clear()
        scene.fittings[key] = fittings
    return fittings


def recipe_of(scene: Scene, rendered: Rendered) -> Recipe:
    """Everything that makes the rendering again."""
    made, info = rendered.made, scene.entry.info
    return Recipe(
        model=info.name,
        weights_sha256=info.weights_sha256,
        generator_sha256=info.generator_sha256,
        seed=made.seed,
        truncation_psi=made.truncation_psi,
        edits=made.edits,
        mixing=made.mixing,
        document=scene.picture.document_size,
        box=union([placement.box for placement in scene.placements]),
        blending=scene.blending,
        groups=tuple(
            Group(placement.frame, placement.box, codes)
            for placement, codes in zip(scene.placements, made.codes, strict=True)
        ),
    )
