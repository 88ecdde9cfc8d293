"""The settings in the docker, stored between sessions."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from inpaint_client.capture import Capture
from inpaint_client.folders import config_folder
from inpaint_client.geometry import Frame
from inpaint_client.info import Model
from inpaint_client.requests import (
    MAX_SEED,
    Blending,
    Edits,
    FillJob,
    FrameChoice,
    FrameMode,
    SmoothFill,
    seed_sequence,
)
from inpaint_client.settings import SettingsFile

MAX_CANDIDATES = 16  # as many as fit in the docker; the daemon's limit may be lower


@dataclass(frozen=True)
class FillSettings:
    """Settings of the next run; the defaults are those of the first start."""

    model: str = ""  # empty = the daemon chooses
    candidates: int = 4
    seed: int = 0
    new_seed: bool = True  # draw a new seed for every run
    variety: float = 0.8  # truncation psi: 0 = the average face, 1 = the most variety
    all_visible: bool = True  # source: all visible layers, or the active one
    context: str = "auto"  # auto | box | frame
    frame_cx: float = 0.0  # document px; used with "frame"
    frame_cy: float = 0.0
    frame_side: float = 0.0  # 0 = not set yet
    frame_angle: float = 0.0
    edits_for_new: bool = False  # new candidates start with the sliders' edits
    also_without_edits: bool = False  # if so: each candidate unedited, with an edited variant
    colour_match: bool = True
    gradient: bool = True
    grain: bool = True
    detail: bool = True
    feather_px: float = 0.0
    smooth: str = "auto"  # one more candidate, made without the model: auto | always | never
    language: str = ""  # empty = the language of Krita
    sections_closed: str = field(default="")  # names of collapsed sections, comma separated
    toured: bool = False  # the tour was taken or closed, or candidates were kept

    @property
    def frame(self) -> Frame:
        return Frame(self.frame_cx, self.frame_cy, self.frame_side, self.frame_angle)

    @property
    def frame_choice(self) -> FrameChoice:
        if self.context == "frame" and self.frame_side > 0:
            return self.frame
        return FrameMode.BOX if self.context == "box" else FrameMode.AUTO

    @property
    def smooth_fill(self) -> SmoothFill:
        choices = {"always": SmoothFill.ALWAYS, "never": SmoothFill.NEVER}
        return choices.get(self.smooth, SmoothFill.AUTO)

    @property
    def seeds(self) -> tuple[int, ...]:
        return seed_sequence(self.seed, self.candidates)

    @property
    def blending(self) -> Blending:
        return Blending(
            colour_match=self.colour_match,
            gradient=self.gradient,
            feather_px=self.feather_px,
            grain=self.grain,
            detail=self.detail,
        )


def fill_settings_file() -> SettingsFile[FillSettings]:
    return SettingsFile(config_folder() / "krita.json", FillSettings)


def draw_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)


def fill_job(fill_settings: FillSettings, capture: Capture, edits: Edits) -> FillJob:
    """Return the request for a run."""
    plain_too = fill_settings.also_without_edits and bool(edits)
    return FillJob(
        capture=capture,
        model=fill_settings.model,
        seeds=fill_settings.seeds,
        truncation_psi=fill_settings.variety,
        edits={} if plain_too else edits,
        variants=(edits,) if plain_too else (),
        frame=fill_settings.frame_choice,
        blending=fill_settings.blending,
        smooth=fill_settings.smooth_fill,
    )


def edits_of_new(fill_settings: FillSettings, values: Edits, model: Model | None) -> Edits:
    """Return the edits of new candidates: none, unless the artist applies them to new ones."""
    return usable_edits(values, model) if fill_settings.edits_for_new else {}


def usable_edits(values: Edits, model: Model | None) -> Edits:
    """Return the nonzero edits that this model supports."""
    known = {direction.name for direction in model.directions} if model else set()
    return {name: value for name, value in values.items() if value and name in known}
