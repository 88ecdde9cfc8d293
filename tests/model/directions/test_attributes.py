"""Both scores of each attribute must follow what is painted into a face, and nothing else."""

from __future__ import annotations

import pytest
import torch
from inpaint_model.directions.attributes import PORTRAIT, chosen
from torch import Tensor

BY_NAME = {attribute.name: attribute for attribute in PORTRAIT}


def face(
    *,
    hair: tuple[float, float, float] = (0.3, 0.2, 0.15),
    skin: tuple[float, float, float] = (0.8, 0.6, 0.5),
    behind: tuple[float, float, float] = (0.5, 0.5, 0.5),
    shift: float = 0.0,
    volume: float = 0.36,
    light: float = 0.0,
    hem: float = 1.0,
    smile: float = 0.0,
    gain: float = 1.0,
    width: float = 0.26,
    fringe: float = 0.0,
    clothes: float = 0.2,
    grain: float = 0.0,
    strands: float = 0.0,
    lips: tuple[float, float, float] = (0.55, 0.25, 0.25),
) -> Tensor:
    """Ellipses on a background: [1, 3, 128, 128] in -1..1."""
    R = 128
    y, x = torch.meshgrid((torch.arange(R) + 0.5) / R, (torch.arange(R) + 0.5) / R, indexing="ij")
    image = torch.tensor(behind)[:, None, None].expand(3, R, R)
    head = (((x - 0.5) / volume) ** 2 + ((y - 0.5) / 0.6) ** 2 < 1) & (y < hem)
    inner = ((x - 0.5 + shift) / width) ** 2 + ((y - 0.58) / 0.36) ** 2 < 1
    lit = torch.tensor(skin)[:, None, None] * (1 + light * (0.5 - x))
    noise = torch.rand(R, R, generator=torch.Generator().manual_seed(0)) - 0.5
    image = torch.where((y > 0.9), torch.full_like(image, clothes), image + grain * noise)
    image = torch.where(
        head & (y < 0.9), torch.tensor(hair)[:, None, None] + strands * noise, image
    )
    image = torch.where(inner & (y > 0.22 + fringe), lit, image)
    mouth = ((x - 0.5).abs() < 0.08) & ((y - 0.745).abs() < 0.05)
    image = torch.where(mouth, torch.tensor(lips)[:, None, None], image)
    between = ((x - 0.5).abs() < 0.06) & ((y - 0.745).abs() < 0.02)
    image = torch.where(between, image + smile * 0.5, image)
    folds = ((x - 0.5).abs() - 0.14).abs() < 0.03
    image = torch.where(folds & ((y - 0.67).abs() < 0.03), image - smile * 0.3, image)
    return ((image - 0.5) * gain + 0.5)[None].clamp(0, 1) * 2 - 1


CHANGES: dict[str, tuple[Tensor, Tensor]] = {
    "hair_lightness": (face(), face(hair=(0.6, 0.45, 0.35))),
    "hair_warmth": (face(hair=(0.3, 0.3, 0.3)), face(hair=(0.45, 0.3, 0.15))),
    "hair_saturation": (face(hair=(0.3, 0.3, 0.3)), face(hair=(0.2, 0.3, 0.5))),
    "hair_fullness": (face(strands=0.05), face(strands=0.3)),
    "lip_redness": (face(), face(lips=(0.7, 0.2, 0.25))),
    "hair_volume": (face(volume=0.3), face(volume=0.46)),
    "hair_length": (face(volume=0.44, hem=0.6), face(volume=0.44)),
    "fringe": (face(), face(fringe=0.08)),
    "face_width": (face(), face(width=0.32)),
    "clothes_lightness": (face(), face(clothes=0.6)),
    "background_tint": (face(), face(behind=(0.4, 0.55, 0.4))),
    "background_detail": (face(grain=0.05), face(grain=0.3)),
    "saturation": (
        face(hair=(0.3, 0.3, 0.3), skin=(0.7, 0.6, 0.6)),
        face(behind=(0.3, 0.5, 0.6), skin=(0.9, 0.6, 0.4)),
    ),
    "skin_lightness": (face(skin=(0.5, 0.35, 0.3)), face()),
    "skin_warmth": (face(skin=(0.7, 0.6, 0.6)), face(skin=(0.8, 0.6, 0.5))),
    "skin_tint": (face(skin=(0.8, 0.55, 0.55)), face(skin=(0.7, 0.62, 0.5))),
    "background_lightness": (face(), face(behind=(0.8, 0.8, 0.8))),
    "background_warmth": (face(), face(behind=(0.6, 0.5, 0.4))),
    "background_saturation": (face(), face(behind=(0.3, 0.5, 0.6))),
    "light_direction": (face(), face(light=1.0)),
    "contrast": (face(gain=0.5, light=1.0), face(light=1.0)),
    "color_temperature": (
        face(behind=(0.4, 0.5, 0.6), skin=(0.7, 0.6, 0.6)),
        face(behind=(0.6, 0.5, 0.4)),
    ),
    "yaw": (face(), face(shift=0.06)),
    "smile": (face(), face(smile=1.0)),
}


@pytest.mark.parametrize("name", BY_NAME)
def test_score_and_validation_score_rise_with_the_attribute(name: str) -> None:
    less, more = CHANGES[name]
    for measure in (BY_NAME[name].score, BY_NAME[name].judge):
        assert float(measure(more)) > float(measure(less)) + 0.005
        assert measure(torch.cat([less, more])).shape == (2,)


@pytest.mark.parametrize("name", ["yaw", "light_direction"])
def test_sides_change_the_sign(name: str) -> None:
    _, more = CHANGES[name]
    for measure in (BY_NAME[name].score, BY_NAME[name].judge):
        assert float(measure(more.flip(3))) == pytest.approx(-float(measure(more)), abs=0.02)


def test_hair_and_background_do_not_touch_each_other() -> None:
    for changed, kept in [("hair_lightness", "background"), ("background_lightness", "hair")]:
        less, more = CHANGES[changed]
        for measure in (BY_NAME[f"{kept}_lightness"].score, BY_NAME[f"{kept}_lightness"].judge):
            assert float(measure(more)) == pytest.approx(float(measure(less)), abs=1e-6)


@pytest.mark.parametrize("R", [32, 64])
def test_small_and_flat_images_have_finite_scores(R: int) -> None:
    for attribute in PORTRAIT:
        for value in (-1.0, 0.0, 1.0):
            flat = torch.full((1, 3, R, R), value)
            assert torch.isfinite(attribute.score(flat)).all()
            assert torch.isfinite(attribute.judge(flat)).all()


def test_attributes_are_chosen_by_name() -> None:
    assert chosen("all", PORTRAIT) == PORTRAIT
    assert [a.name for a in chosen("yaw, contrast", PORTRAIT)] == ["yaw", "contrast"]
    with pytest.raises(ValueError, match=r"no attribute .*wings.*hair_lightness"):
        chosen("wings", PORTRAIT)
