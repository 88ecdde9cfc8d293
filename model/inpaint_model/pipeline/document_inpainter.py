"""Fill a document: find frames, encode, sample, mix, edit, render, and fit the result.

Codes follow from seed and truncation, then mixing, then edits.

`DocumentInpainter.fill` does all of it. A scheduler that shares a device among fills calls the
steps (`open`, `equip`, `encode`, `tasks`, `render`) and may unload the model between any two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

import numpy as np

from inpaint_model.document.arrays import BoolMask, MaskU8, Pixels
from inpaint_model.document.blending import BlendSettings
from inpaint_model.document.compositing import Patch, composite
from inpaint_model.document.document_image import DocumentImage
from inpaint_model.document.geometry import FrameChoice
from inpaint_model.document.hole import Hole
from inpaint_model.framing.frame_holes import frame_alike, frame_holes
from inpaint_model.inference.abilities import check_count, check_editable
from inpaint_model.inference.inpainter import Inpainter
from inpaint_model.networks.inpainting_model import Encoding
from inpaint_model.pipeline.assessing import FACES, Assessment, GroupAssessor, can_judge
from inpaint_model.pipeline.backdrops import find_backdrop
from inpaint_model.pipeline.enlarging import Enlarger
from inpaint_model.pipeline.face_frames import aligned
from inpaint_model.pipeline.recipe import (
    Codes,
    ModelIdentity,
    read_recipe,
    write_recipe,
)
from inpaint_model.pipeline.reopening import reopened
from inpaint_model.pipeline.session import (
    Candidate,
    Edits,
    Encodings,
    FillSession,
    Outputs,
    Rendering,
    Task,
    UneditableError,
)
from inpaint_model.pipeline.style_mixing import Mixing, codes_to_mix, mixed, noted

DEFAULT_TRUNCATION_PSI = 0.8


@dataclass(frozen=True)
class DocumentFill:
    """A candidate, edited candidate or variant."""

    session: FillSession
    rendering: Rendering

    @property
    def candidate(self) -> Candidate:
        """The rendered candidate, for `DocumentInpainter.edit`."""
        return self.rendering.candidate

    @cached_property
    def patches(self) -> list[Patch]:
        """The fill in document pixels with its coverage, one patch per group."""
        return self.session.patches(self.rendering)

    @cached_property
    def composite(self) -> Pixels:
        """The filled image: same size and sample type, unchanged outside the hole."""
        image = self.session.image
        return composite(image.pixels, self.patches, image.origin)

    @cached_property
    def assessment(self) -> Assessment:
        """How much the person still is the person, and how natural the fill looks."""
        return self.session.assess(self.rendering)

    @property
    def recipe(self) -> str:
        """JSON from which `reopen` recreates the candidate, given the session's attachment."""
        return write_recipe(self.session.recipe(self.candidate))


class DocumentInpainter:
    """Fills holes in images of any size.

    Example:
        document = DocumentInpainter(load_bundle("portrait"))
        session = document.open(photograph, mask)
        fills = list(document.fill(session, seeds=[0, 1, 2, 3]))
        blonde = document.edit(session, fills[0].candidate, {"hair_lightness": 2.0})
    """

    def __init__(
        self, inpainter: Inpainter | Callable[[], Inpainter], home: object | None = None
    ) -> None:
        """Take a model, or a function that returns it in every step if it may leave the device.

        `home` identifies the memory of encodings (None: this object); a session from another home
        is encoded again.
        """
        self._model: Callable[[], Inpainter]
        self._model = (lambda: inpainter) if isinstance(inpainter, Inpainter) else inpainter
        self._home = self if home is None else home

    # -- Complete fills --------------------------------------------------------------------------

    def fill(
        self,
        session: FillSession,
        seeds: Sequence[int],
        *,
        truncation_psi: float = DEFAULT_TRUNCATION_PSI,
        edits: Edits | None = None,
        variants: Sequence[Edits] = (),
    ) -> Iterator[DocumentFill]:
        """Yield one candidate for each seed (0..2^32 - 1), followed by its variants.

        Truncation 1 gives full variety, 0 none. Edits are distances in units, by name of direction;
        each variant adds its own to the candidate's.

        Raises:
            ValueError: A seed is out of range.
            RefusalError: The model cannot make several candidates, or edit them.
            UnknownDirectionError: The model lacks a direction.
        """
        for task in self.tasks(session, seeds, truncation_psi, edits or {}, variants):
            (rendering,) = self.render(session, [task])
            yield DocumentFill(session, rendering)

    def smooth(self, session: FillSession) -> DocumentFill:
        """Fill without the model: continue the surroundings smoothly, with their grain.

        This often suits blemishes and plain backgrounds better (see `is_worth_smoothing`).

        Raises:
            ValueError: Nothing is left around the hole.
        """
        return DocumentFill(session, session.smooth(max(session.candidates, default=-1) + 1))

    def edit(
        self,
        session: FillSession,
        candidate: Candidate,
        edits: Edits,
        *,
        seed: int | None = None,
        truncation_psi: float | None = None,
        mixing: Mixing | Sequence[Mixing] | None = None,
    ) -> DocumentFill:
        """Render a candidate again with edits that replace its own.

        None keeps its seed or truncation. Styles are mixed in on top of those in its codes; of
        several mixings, each into the result of the one before.

        Raises:
            ValueError: The seed is out of range, or the styles cannot be mixed in.
            RefusalError: The model cannot make another candidate, or edit or mix them.
            UneditableError: The candidate is smooth.
            UnknownDirectionError: The model lacks a direction.
        """
        changed = self.changed(session, candidate, seed, truncation_psi)
        for each in [mixing] if isinstance(mixing, Mixing) else mixing or ():
            changed = self.mixed(session, changed, each)
        (rendering,) = self.render(session, [Task(0, -1, changed.edited(edits))])
        return DocumentFill(session, rendering)

    # -- Steps -----------------------------------------------------------------------------------

    def open(
        self,
        image: DocumentImage | Pixels,
        mask: Hole | MaskU8 | BoolMask,
        *,
        frame: FrameChoice = "auto",
        overview: DocumentImage | None = None,
        blending: BlendSettings | None = None,
    ) -> FillSession:
        """Find a frame for each group of holes. Nothing is encoded yet.

        Args:
            image: uint8, uint16, float16 or float32 [H, W, C] in sRGB with 1, 3 or 4 channels; or a
                `DocumentImage`, for linear light and crops.
            mask: bool or uint8 [H, W], above 0 in the hole; values below 255 soften its edge. Or a
                `Hole` of the image's size and origin.
            frame: "auto" to find a face, "box" (the square around the hole), or one in document px.
            overview: The complete document at low resolution, for what lies beyond a crop.
            blending: None for the defaults.

        Raises:
            ValueError: The image is of an unsupported kind, or the mask is empty, of another size,
                outside the frame, or forms too many groups.
        """
        inpainter = self._model()
        image = _as_image(image)
        hole = _as_hole(mask, image)
        align = aligned if inpainter.info.card.alignment == FACES else None
        placements = frame_holes(
            inpainter, image, hole, frame=frame, overview=overview, align=align
        )
        session = FillSession(
            identity_of(inpainter), image, hole, placements, blending or BlendSettings()
        )
        self.equip(session)
        return session

    def take_over(self, session: FillSession, overview: DocumentImage | None = None) -> FillSession:
        """Open what another model of the same alignment has opened, with the frames it found."""
        inpainter = self._model()
        image, hole = session.image, session.hole
        placements = frame_alike(session.placements, image, hole, inpainter.resolution, overview)
        opened = FillSession(identity_of(inpainter), image, hole, placements, session.blending)
        self.equip(opened)
        return opened

    def reopen(
        self,
        recipe: str,
        attachment: bytes,
        image: DocumentImage | Pixels | None = None,
        mask: Hole | MaskU8 | BoolMask | None = None,
    ) -> FillSession:
        """Return a session whose candidate 0 is that of a recipe with its attachment.

        Without image and mask, it is fitted to the square that the encoder saw.

        Raises:
            RecipeError: The recipe does not fit this model.
            AttachmentError: It cannot be used.
            ValueError: The mask does not match the recipe, or only one of image and mask is given.
        """
        if (image is None) != (mask is None):
            raise ValueError("Give both image and mask, or neither.")
        inpainter = self._model()
        read, model = read_recipe(recipe), identity_of(inpainter)
        if image is None or mask is None:
            session = reopened(read, attachment, model)
        else:
            image = _as_image(image)
            session = reopened(read, attachment, model, image, _as_hole(mask, image))
        self.equip(session)
        return session

    def equip(self, session: FillSession) -> None:
        """Give a session the networks that run beside the model, if it has them and they apply."""
        if session.is_equipped:
            return
        inpainter = self._model()
        shows_faces = can_judge(inpainter.info.card.alignment, session.placements)
        if shows_faces:
            session.placements = [
                replace(each, find_backdrop=find_backdrop) for each in session.placements
            ]
            session.assessors = [
                GroupAssessor(inpainter.assessor, each) for each in session.placements
            ]
        if inpainter.detail is not None:
            session.enlargers = [Enlarger(inpainter.detail, each) for each in session.placements]
        session.is_equipped = True

    def encode(self, session: FillSession) -> Iterator[None]:
        """Encode a session's groups now, one per step, rather than when needed."""
        groups = []
        for placement in session.placements:
            groups.append(self._model().encode(placement.source.erased, placement.source.hole))
            yield None
        session.encodings = Encodings(self._home, groups)

    def tasks(
        self,
        session: FillSession,
        seeds: Sequence[int],
        truncation_psi: float,
        edits: Edits,
        variants: Sequence[Edits] = (),
        batch_size: int = 1,
    ) -> Iterator[Task]:
        """Yield every candidate, followed by its variants.

        The first seed is sampled alone, to be ready early; later ones `batch_size` at a time.

        Raises:
            RefusalError: There are several seeds, and the model makes one candidate.
        """
        inpainter = self._model()
        check_count(inpainter.config.abilities, inpainter.info.shown_name, len(seeds))
        k = 0
        while some := seeds[k : k + (batch_size if k else 1)]:
            for seed, codes in zip(some, self._sample(session, some, truncation_psi), strict=True):
                candidate = Candidate(seed, truncation_psi, edits, None, codes)
                session.candidates[k] = candidate
                for variant, more in enumerate(({}, *variants), start=-1):
                    yield Task(k, variant, candidate._replace(edits={**edits, **more}))
                k += 1

    def changed(
        self,
        session: FillSession,
        candidate: Candidate,
        seed: int | None = None,
        truncation_psi: float | None = None,
    ) -> Candidate:
        """Change a candidate's seed or truncation; sample its codes if it has none.

        Raises:
            UneditableError: The candidate is smooth and would change.
            RefusalError: The model cannot make another candidate.
        """
        if candidate.is_smooth:
            if (seed or 0, truncation_psi or 0.0) != candidate.origin:
                raise UneditableError
            return candidate
        inpainter = self._model()
        abilities, name = inpainter.config.abilities, inpainter.info.shown_name
        new_seed = candidate.seed if seed is None else seed
        check_count(abilities, name, len({candidate.seed, new_seed}))
        new_psi = candidate.truncation_psi if truncation_psi is None else truncation_psi
        if not candidate.codes or (new_seed, new_psi) != candidate.origin:
            (codes,) = self._sample(session, [new_seed], new_psi)
            candidate = Candidate(new_seed, new_psi, candidate.edits, None, codes)
        return candidate

    def mixed(self, session: FillSession, candidate: Candidate, mixing: Mixing) -> Candidate:
        """Mix styles into a candidate that has codes, as those returned by `changed` do.

        Raises:
            OtherModelError, RecipeError, UnseenImageError: As of `codes_to_mix`.
            UneditableError: The candidate is smooth.
            RefusalError: The model cannot mix styles.
        """
        if candidate.is_smooth:
            raise UneditableError
        inpainter = self._model()
        check_editable(inpainter.config.abilities, inpainter.info.shown_name)
        frames = [placement.frame for placement in session.placements]
        others = codes_to_mix(inpainter, session.model, frames, mixing)
        return candidate._replace(
            mixing=noted(mixing, candidate.mixing), codes=mixed(candidate.codes, others, mixing)
        )

    def render(self, session: FillSession, batch: Sequence[Task]) -> list[Rendering]:
        """Render candidates of a session in one batch, of which all or none are smooth."""
        if all(task.candidate.is_smooth for task in batch):
            return [Rendering(t.index, t.variant, t.candidate, (), None) for t in batch]
        inpainter = self._model()
        groups = []
        for g, encoding in enumerate(self._encodings(session)):
            codes = [inpainter.edit(t.candidate.codes[g][None], t.candidate.edits) for t in batch]
            groups.append(inpainter.render(encoding, np.concatenate(codes)))  # [n, R, R, 3]
        pairs = zip(batch, zip(*groups, strict=True), strict=True)
        return [self._rendered(session, task, outputs) for task, outputs in pairs]

    def render_together(
        self, jobs: Sequence[tuple[FillSession, Sequence[Task]]]
    ) -> list[list[Rendering]]:
        """Render candidates of several sessions in one batch; none may be smooth."""
        inpainter = self._model()
        encodings, codes = [], []
        for session, batch in jobs:
            for task in batch:
                edits = task.candidate.edits
                encodings += self._encodings(session)
                codes += [inpainter.edit(own[None], edits) for own in task.candidate.codes]
        outputs = iter(inpainter.render_each(encodings, np.concatenate(codes)))
        return [
            [
                self._rendered(session, task, tuple(islice(outputs, len(task.candidate.codes))))
                for task in batch
            ]
            for session, batch in jobs
        ]

    def _rendered(self, session: FillSession, task: Task, outputs: Outputs) -> Rendering:
        """Add the outputs before edits, which blending is fitted to."""
        candidate, unedited = task.candidate, None
        if candidate.is_changed:
            unedited = self._unedited(session, candidate)
        else:
            session.keep_unedited(candidate, outputs)
        return Rendering(task.index, task.variant, candidate, outputs, unedited)

    def _unedited(self, session: FillSession, candidate: Candidate) -> Outputs:
        outputs = session.unedited.get(candidate.origin)
        if outputs is None:
            codes = candidate.codes
            if candidate.mixing is not None:
                (codes,) = self._sample(session, [candidate.seed], candidate.truncation_psi)
            inpainter = self._model()
            outputs = tuple(
                inpainter.render(encoding, own[None])[0]
                for encoding, own in zip(self._encodings(session), codes, strict=True)
            )
            session.keep_unedited(candidate, outputs)
        return outputs

    def _sample(
        self, session: FillSession, seeds: Sequence[int], truncation_psi: float
    ) -> list[Codes]:
        """Return the codes of every seed for all groups."""
        inpainter = self._model()
        groups = [
            inpainter.sample(encoding, seeds, truncation_psi)
            for encoding in self._encodings(session)
        ]
        return list(zip(*groups, strict=True))

    def _encodings(self, session: FillSession) -> list[Encoding]:
        """Return the session's encodings, made again if this home has none."""
        held = session.encodings
        while held is None or held.home is not self._home:
            for _ in self.encode(session):
                pass
            held = session.encodings
        return held.groups


def _as_image(image: DocumentImage | Pixels) -> DocumentImage:
    return image if isinstance(image, DocumentImage) else DocumentImage(image)


def _as_hole(mask: Hole | MaskU8 | BoolMask, image: DocumentImage) -> Hole:
    if isinstance(mask, Hole):
        return mask
    if mask.dtype not in (np.bool_, np.uint8) or mask.ndim != 2:
        raise ValueError(
            f"A mask must be bool or uint8 [height, width], not {mask.dtype} {list(mask.shape)}."
        )
    coverage: MaskU8 = mask.astype(np.uint8, copy=False)
    if mask.dtype == np.bool_:
        coverage = coverage * np.uint8(255)
    return Hole(coverage, image.origin)


def identity_of(inpainter: Inpainter) -> ModelIdentity:
    """Identify a model for sessions and recipes."""
    info = inpainter.info
    return ModelIdentity(
        name=info.name,
        weights_sha256=info.weights_sha256,
        generator_sha256=info.generator_sha256,
        resolution=inpainter.resolution,
        num_ws=inpainter.num_ws,
        w_dim=inpainter.w_dim,
    )
