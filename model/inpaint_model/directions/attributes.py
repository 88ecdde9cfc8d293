"""Attributes of an aligned portrait that can be measured without a network.

A direction is fitted to `score` and validated with `judge`, which uses other pixels or another
formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inpaint_model.directions import face_regions as at
from inpaint_model.directions import measurements as of
from inpaint_model.directions.measurements import Score


@dataclass(frozen=True)
class Attribute:
    """A measurable property of an image."""

    name: str
    group: str  # for the user interface
    description: str  # the visible effect of one unit
    score: Score
    judge: Score
    includes: tuple[str, ...] = ()  # change with it by definition


@dataclass(frozen=True)
class Shape:
    """A property of the face that a network measures best; the name of its scorer selects it."""

    group: str
    description: str
    includes: tuple[str, ...] = ()

    def measured(self, name: str, score: Score, judge: Score) -> Attribute:
        """Return the attribute with these scores."""
        return Attribute(name, self.group, self.description, score, judge, self.includes)


SHAPES: dict[str, Shape] = {
    "face_width": Shape("face", "a broader face; below 0 a narrower one"),
    "nose_width": Shape("face", "a broader nose; below 0 a narrower one"),
    "lip_fullness": Shape("face", "fuller lips; below 0 thinner ones"),
    "eye_opening": Shape("face", "wider open eyes; below 0 narrowed ones"),
    "brow_height": Shape("expression", "raised brows; below 0 lowered ones"),
    "smile": Shape(
        "expression",
        "a broader smile; below 0 a smaller one",
        ("mouth_opening", "lip_fullness", "nose_width"),
    ),
    "mouth_opening": Shape("expression", "a wider open mouth"),
    "nod": Shape("pose", "head bent forward; below 0 raised"),
}

PORTRAIT: tuple[Attribute, ...] = (
    Attribute("hair_lightness", "hair", "lighter hair",
              of.mean_luma(at.HAIR), of.median_luma(at.TEMPLES)),
    Attribute("hair_warmth", "hair", "warmer hair: toward red and gold",
              of.warmth(at.HAIR), of.log_red_to_blue(at.TEMPLES),
              ("hair_saturation", "saturation")),
    Attribute("hair_saturation", "hair", "more colorful hair",
              of.mean_saturation(at.HAIR), of.opponent_chroma(at.TEMPLES), ("saturation",)),
    Attribute("hair_fullness", "hair", "fuller hair with more strands; below 0 thinner",
              of.fine_detail(at.HAIR), of.squared_steps(at.TEMPLES)),
    Attribute("hair_volume", "hair", "more hair beside the head",
              of.hair_share(at.ABOVE_EARS), of.hair_share(at.BESIDE_EARS), ("hair_length",)),
    Attribute("hair_length", "hair", "longer hair",
              of.hair_share(at.BESIDE_JAW), of.hair_share(at.BESIDE_NECK), ("hair_volume",)),
    Attribute("fringe", "hair", "hair further down the forehead",
              of.hair_share(at.HAIRLINE, at.CHEEKS), of.hair_share(at.HAIRLINE_SIDES, at.CHEEKS)),
    Attribute("face_width", "face", "a broader face, or less hair over its sides",
              of.skin_share(at.CHEEK_EDGES), of.skin_share(at.JAW_EDGES)),
    Attribute("skin_lightness", "skin", "lighter skin",
              of.mean_luma(at.CHEEKS), of.median_luma(at.FOREHEAD)),
    Attribute("skin_warmth", "skin", "warmer skin",
              of.warmth(at.CHEEKS), of.log_red_to_blue(at.FOREHEAD)),
    Attribute("skin_tint", "skin", "more olive skin; below 0 pinker",
              of.tint(at.CHEEKS), of.log_tint(at.FOREHEAD)),
    Attribute("lip_redness", "face", "redder lips",
              of.redness(at.LOWER_LIP), of.log_red_to_green(at.UPPER_LIP)),
    Attribute("clothes_lightness", "clothes", "lighter clothes",
              of.mean_luma(at.OUTER_CLOTHES), of.median_luma(at.INNER_CLOTHES)),
    Attribute("background_lightness", "background", "a lighter background",
              of.mean_luma(at.CORNERS), of.median_luma(at.SIDES)),
    Attribute("background_warmth", "background", "a warmer background",
              of.warmth(at.CORNERS), of.log_red_to_blue(at.SIDES),
              ("background_saturation", "saturation")),
    Attribute("background_saturation", "background", "a more colorful background",
              of.mean_saturation(at.CORNERS), of.opponent_chroma(at.SIDES), ("saturation",)),
    Attribute("background_tint", "background", "a greener background; below 0 toward magenta",
              of.tint(at.CORNERS), of.log_tint(at.SIDES), ("background_saturation",)),
    Attribute("background_detail", "background", "a busier background",
              of.fine_detail(at.CORNERS), of.squared_steps(at.SIDES)),
    Attribute("light_direction", "light", "light from the left of the image",
              of.balance(at.LEFT_CHEEK, at.RIGHT_CHEEK),
              of.log_balance(at.LEFT_BROW, at.RIGHT_BROW), ("contrast",)),
    Attribute("contrast", "light", "more contrast in the face",
              of.luma_deviation(at.UPPER_FACE), of.luma_span(at.LOWER_FACE)),
    Attribute("color_temperature", "light", "a warmer image",
              of.warmth(at.WHOLE), of.bright_red_to_blue,
              ("hair_warmth", "hair_saturation", "skin_warmth", "background_warmth",
               "background_saturation", "saturation")),
    Attribute("saturation", "light", "a more colorful image",
              of.mean_saturation(at.WHOLE), of.opponent_chroma(at.WHOLE),
              ("hair_saturation", "background_saturation")),
    Attribute("yaw", "pose", "head turned so that the nose points right",
              of.contour_shift, of.skin_left_of_right),
    SHAPES["smile"].measured("smile", of.raised_cheeks, of.bright_mouth),
)  # fmt: skip


def chosen(names: str, known: Sequence[Attribute]) -> tuple[Attribute, ...]:
    """Return the attributes in a comma-separated list; "all" for all.

    Raises:
        ValueError: if a name is unknown.
    """
    if names == "all":
        return tuple(known)
    by_name = {attribute.name: attribute for attribute in known}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in by_name]
    if unknown or not wanted:
        raise ValueError(f"no attribute {unknown or names!r}; choose from {', '.join(by_name)}")
    return tuple(by_name[name] for name in wanted)
