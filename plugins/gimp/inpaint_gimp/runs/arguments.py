"""The arguments of the procedures: declared once, for GIMP's dialogs, presets and scripts alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple

from inpaint_client import MAX_SEED, Blending, Edits, FrameChoice, FrameMode, SmoothFill

from ..translation import _
from .edits import parse_edits, parse_frame, parse_variants


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
    """One argument of a procedure. `default` is of the kind's type; a choice's is a nick."""

    name: str
    kind: Kind
    label: str
    help: str
    default: str | int | float | bool
    minimum: float = 0
    maximum: float = 0
    choices: tuple[Choice, ...] = ()


def fill_arguments() -> tuple[Argument, ...]:
    """Of the procedure that fills, in the order in which scripts see them."""
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
            _("How many different fills to make"),
            4,
            1,
            64,
        ),
        Argument(
            "new-seed",
            Kind.FLAG,
            _("_New seed each time"),
            _("Draw a seed for every run and write it into Seed; off: use Seed as it is"),
            True,
        ),
        Argument(
            "seed",
            Kind.WHOLE,
            _("S_eed"),
            _("Seed of the first candidate; the others take the following numbers"),
            0,
            0,
            MAX_SEED,
        ),
        Argument(
            "truncation",
            Kind.REAL,
            _("_Variety"),
            _("0: all candidates near the average; 1: as different as the model can"),
            0.8,
            0.0,
            1.0,
        ),
        edits_argument(),
        Argument(
            "variants",
            Kind.TEXT,
            _("Varian_ts"),
            _(
                "Further renderings of every candidate: lists of edits separated by "
                "semicolons, for example “hair_lightness=2; yaw=-1, hair_lightness=1”"
            ),
            "",
        ),
        Argument(
            "context",
            Kind.CHOICE,
            _("C_ontext"),
            _("Which square of the image the model sees"),
            "auto",
            choices=(
                Choice(
                    "auto",
                    _("Find the face"),
                    _(
                        "Searched around the selection; a square around the selection "
                        "where none is found"
                    ),
                ),
                Choice("box", _("Around the selection"), _("A square around the selection")),
                Choice("frame", _("Given frame"), _("The square given as Frame")),
            ),
        ),
        Argument(
            "frame",
            Kind.TEXT,
            _("Frame s_quare"),
            _(
                "With a given frame: center, side and angle of the square as “X, Y, SIDE, "
                "ANGLE” in pixels and degrees"
            ),
            "",
        ),
        Argument(
            "source",
            Kind.CHOICE,
            _("So_urce"),
            _("What the model sees around the hole"),
            "visible",
            choices=(
                Choice("visible", _("All visible layers"), _("The image as it looks")),
                Choice("layer", _("This layer"), _("The selected layer alone")),
            ),
        ),
        Argument(
            "smooth",
            Kind.CHOICE,
            _("Smoot_h candidate"),
            _("One more candidate that continues the surroundings, without the model"),
            "auto",
            choices=(
                Choice(
                    "auto",
                    _("Where it is likely better"),
                    _("Where no face is found, and for small selections such as blemishes"),
                ),
                Choice("always", _("Always"), _("After the candidates of every run")),
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
            _("Fit the fill's colors and light to its surroundings"),
            True,
        ),
        Argument(
            "gradient",
            Kind.FLAG,
            _("_Blend gradients"),
            _("Continue brightness across the edge of the selection"),
            True,
        ),
        Argument(
            "grain",
            Kind.FLAG,
            _("Match _grain"),
            _("Fit grain and sharpness to the surroundings"),
            True,
        ),
        Argument(
            "feather",
            Kind.REAL,
            _("Feather _width (px)"),
            _(
                "Width over which the fill gives way to the image inside the selection; "
                "nothing outside is ever touched"
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
        _("Changes along the model's directions, for example “hair_lightness=1.5, yaw=-1”"),
        "",
    )


def edit_arguments() -> tuple[Argument, ...]:
    """Of the procedure that opens a fill again."""
    return (
        edits_argument(),
        Argument(
            "mix",
            Kind.TEXT,
            _("Mi_x"),
            _(
                "Name of a layer whose styles are mixed in: another fill, or any layer that this "
                "one shall look like; empty for nothing"
            ),
            "",
        ),
        Argument(
            "levels",
            Kind.TEXT,
            _("_Levels"),
            _(
                "Which styles are taken: “structure, features, colors” or some of them; empty "
                "for all of a fill's, and for the colors of another layer's"
            ),
            "",
        ),
        Argument(
            "amount",
            Kind.REAL,
            _("Amount"),
            _("How far it goes: 0 is this fill, 1 the other one"),
            1.0,
            0.0,
            1.0,
        ),
        Argument(
            "replace",
            Kind.FLAG,
            _("Re_place the layer"),
            _("On: the layer takes the new pixels; off: a new layer above it"),
            False,
        ),
    )


@dataclass(frozen=True, kw_only=True)
class FillSettings:
    """The values of one run, checked."""

    model: str = ""
    candidates: int = 4
    seed: int | None = None  # None: to be drawn
    truncation: float = 0.8
    edits: Edits = field(default_factory=dict)
    variants: tuple[Edits, ...] = ()
    frame: FrameChoice = FrameMode.AUTO
    from_layer: bool = False  # the source is the selected layer, not all that is visible
    smooth: SmoothFill = SmoothFill.AUTO
    group: bool = True
    blending: Blending = field(default_factory=Blending)

    @classmethod
    def read(cls, value_of: Callable[[str], object]) -> FillSettings:
        """From a procedure's values, looked up by argument name.

        Raises:
            InputError: a text cannot be read; the message says which and how to write it.
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
                feather_px=_real(value_of("feather")),
            ),
        )

    def with_seed(self, draw: Callable[[], int]) -> FillSettings:
        """These settings with a seed: the given one, or one from `draw`."""
        return self if self.seed is not None else replace(self, seed=draw())


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value


def _real(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)
