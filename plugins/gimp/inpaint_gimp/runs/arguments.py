"""The arguments of the procedures, declared once for GIMP's dialogs, presets and scripts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from inpaint_client import (
    MAX_SEED,
    Blending,
    Edits,
    FrameChoice,
    FrameMode,
    Model,
    SmoothFill,
)
from inpaint_client.session.abilities import possible_count, why_unedited

from ..translation import _
from .edits import parse_edits, parse_frame, parse_variants

MAX_FACE = 1000


class Kind(Enum):
    TEXT = "text"
    WHOLE = "whole number"
    REAL = "number"
    FLAG = "yes or no"
    CHOICE = "choice"


class Choice(NamedTuple):
    nick: str  # what scripts pass
    label: str
    help: str


@dataclass(frozen=True)
class Argument:
    """One argument of a procedure. The `default` of a choice is its nick."""

    name: str
    kind: Kind
    label: str
    help: str
    default: str | int | float | bool
    minimum: float = 0
    maximum: float = 0
    choices: tuple[Choice, ...] = ()


def fill_arguments() -> tuple[Argument, ...]:
    """Return the arguments of the fill procedure, in the order in which scripts pass them."""
    return (
        Argument(
            "model",
            Kind.TEXT,
            _("_Model"),
            _("Name of the model; empty for the daemon's default"),
            "",
        ),
        Argument(
            "candidates",
            Kind.WHOLE,
            _("Can_didates"),
            _("Number of candidates to create"),
            4,
            1,
            64,
        ),
        Argument(
            "new-seed",
            Kind.FLAG,
            _("_New seed for each run"),
            _("Use a new random seed for each run. Turn off to use the one in “Seed”."),
            True,
        ),
        Argument(
            "seed",
            Kind.WHOLE,
            _("S_eed"),
            _("Seed of the first candidate; the others use the numbers that follow"),
            0,
            0,
            MAX_SEED,
        ),
        Argument(
            "truncation",
            Kind.REAL,
            _("_Variety"),
            _(
                "Low values give typical faces. High values give more variety, and sometimes "
                "strange faces."
            ),
            0.8,
            0.0,
            1.0,
        ),
        edits_argument(),
        Argument(
            "variants",
            Kind.TEXT,
            _("Variants"),
            _(
                "More versions of each candidate: lists of edits separated by semicolons, for "
                "example “hair_lightness=1; yaw=-1, smile=1”"
            ),
            "",
        ),
        Argument(
            "context",
            Kind.CHOICE,
            _("C_ontext"),
            _("The frame is the square of the image that the model sees."),
            "auto",
            choices=(
                Choice(
                    "auto",
                    _("Find the face"),
                    _(
                        "Search around the selection. If no face is found, "
                        "use the square around it."
                    ),
                ),
                Choice("box", _("Around the selection"), _("Use the square around the selection")),
                Choice("frame", _("Custom frame"), _("Use the square entered as “Frame square”")),
            ),
        ),
        Argument(
            "frame",
            Kind.TEXT,
            _("Frame s_quare"),
            _(
                "For a custom frame: center, side and angle of the square as “X, Y, SIDE, "
                "ANGLE”, in pixels and degrees"
            ),
            "",
        ),
        Argument(
            "source",
            Kind.CHOICE,
            _("So_urce"),
            _("Layers that the model sees"),
            "visible",
            choices=(
                Choice("visible", _("All visible layers"), _("The image as displayed")),
                Choice("layer", _("Selected layer"), _("Only the selected layer")),
            ),
        ),
        Argument(
            "smooth",
            Kind.CHOICE,
            _("Smooth candidate"),
            _("One more candidate that continues the surroundings smoothly, without the model"),
            "auto",
            choices=(
                Choice(
                    "auto",
                    _("When likely better"),
                    _("When no face is found, and for small selections such as blemishes"),
                ),
                Choice("always", _("Always"), _("After the model's candidates in every run")),
                Choice("never", _("Never"), _("Only the model's candidates")),
            ),
        ),
        Argument(
            "group",
            Kind.FLAG,
            _("Insert as a la_yer group"),
            _("Put all new layers of a run into one group"),
            True,
        ),
        Argument(
            "color-match",
            Kind.FLAG,
            _("M_atch colors"),
            _("Match the color and light of the surroundings"),
            True,
        ),
        Argument(
            "gradient",
            Kind.FLAG,
            _("_Blend edges"),
            _("Continue the brightness of the surroundings across the edge of the selection"),
            True,
        ),
        Argument(
            "grain",
            Kind.FLAG,
            _("Match _grain"),
            _("Match the grain and sharpness of the surroundings"),
            True,
        ),
        Argument(
            "detail",
            Kind.FLAG,
            _("Add detai_l"),
            _("Add fine detail where the image is finer than the model"),
            True,
        ),
        Argument(
            "feather",
            Kind.REAL,
            _("Feather _width (px)"),
            _(
                "Width of the soft edge inside the selection. Nothing outside the selection "
                "changes."
            ),
            0.0,
            0.0,
            256.0,
        ),
    )


def edits_argument() -> Argument:
    return Argument(
        "edits",
        Kind.TEXT,
        _("E_dits"),
        _("Edits along the model's directions, for example “hair_lightness=1.5, yaw=-1”"),
        "",
    )


def edit_arguments() -> tuple[Argument, ...]:
    """Return the arguments of the edit procedure."""
    return (
        edits_argument(),
        Argument(
            "mix",
            Kind.TEXT,
            _("Mi_x"),
            _(
                "Name of the layer whose styles to mix in: another fill or any other layer; "
                "empty for none"
            ),
            "",
        ),
        Argument(
            "levels",
            Kind.TEXT,
            _("_Levels"),
            _(
                "Styles to mix in: “structure, features, colors” or some of them; empty for "
                "all styles of a fill, or for the colors of another layer"
            ),
            "",
        ),
        Argument(
            "amount",
            Kind.REAL,
            _("Amount"),
            _("Strength of the mix: 0 is this fill, 1 is the other layer"),
            1.0,
            0.0,
            1.0,
        ),
        Argument(
            "replace",
            Kind.FLAG,
            _("R_eplace the layer"),
            _("Replace the layer. Turn off to add a new layer above it and hide the old one."),
            False,
        ),
    )


def parts() -> tuple[Choice, ...]:
    """Return the parts of a face that can be selected; a nick is the `label` of a `Part`."""
    return (
        Choice("hair", _("Hair"), _("The hair on the head, without beards")),
        Choice("skin", _("Skin"), _("The skin of the face, without eyes, brows and mouth")),
        Choice("eyes", _("Eyes"), _("Both eyes, with lids and lashes")),
        Choice("brows", _("Brows"), _("Both eyebrows")),
        Choice("mouth", _("Mouth"), _("The lips and what is between them")),
        Choice("glasses", _("Glasses"), _("Where glasses are or would be")),
        Choice("background", _("Background"), _("Everything that shows no person")),
    )


def select_arguments() -> tuple[Argument, ...]:
    """Return the arguments of the procedure that selects a part of a face."""
    return (
        Argument(
            "part",
            Kind.CHOICE,
            _("_Part"),
            _("The part to select"),
            "hair",
            choices=parts(),
        ),
        Argument(
            "face",
            Kind.WHOLE,
            _("_Face"),
            _("Whose part: 0 for all faces, 1 for the largest, 2 for the next one"),
            0,
            0,
            MAX_FACE,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FillSettings:
    """The values of one run, checked."""

    model: str = ""
    candidates: int = 4
    seed: int | None = None  # None = draw a new one
    truncation: float = 0.8
    edits: Edits = field(default_factory=dict)
    variants: tuple[Edits, ...] = ()
    frame: FrameChoice = FrameMode.AUTO
    from_layer: bool = False  # the source is the selected layer, not all visible layers
    smooth: SmoothFill = SmoothFill.AUTO
    group: bool = True
    blending: Blending = field(default_factory=Blending)

    @classmethod
    def read(cls, value_of: Callable[[str], object]) -> FillSettings:
        """Read the settings from a procedure's values, given by argument name.

        Raises:
            InputError: a text cannot be parsed.
        """

        def text(name: str) -> str:
            return str(value_of(name) or "")

        context = text("context")
        modes = {"auto": FrameMode.AUTO, "box": FrameMode.BOX}
        return cls(
            model=text("model").strip(),
            candidates=_whole(value_of("candidates")),
            seed=None if value_of("new-seed") else _whole(value_of("seed")),
            truncation=_real(value_of("truncation")),
            edits=parse_edits(text("edits")),
            variants=parse_variants(text("variants")),
            frame=parse_frame(text("frame")) if context == "frame" else modes[context],
            from_layer=text("source") == "layer",
            smooth=SmoothFill[text("smooth").upper()],
            group=bool(value_of("group")),
            blending=Blending(
                colour_match=bool(value_of("color-match")),
                gradient=bool(value_of("gradient")),
                grain=bool(value_of("grain")),
                detail=bool(value_of("detail")),
                feather_px=_real(value_of("feather")),
            ),
        )

    def possible(self, model: Model | None) -> FillSettings:
        """Return these settings with as many candidates as the model can make."""
        return replace(self, candidates=possible_count(model, self.candidates))

    def without_refused_edits(self, model: Model | None) -> FillSettings:
        """Return these settings without edits if the model refuses them.

        They may stem from an earlier fill with another model.
        """
        if why_unedited(model) is None:
            return self
        return replace(self, edits={}, variants=())

    def with_seed(self, draw: Callable[[], int]) -> FillSettings:
        """Return these settings with their seed or, if they have none, one from `draw`."""
        return self if self.seed is not None else replace(self, seed=draw())


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _real(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
