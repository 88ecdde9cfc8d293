"""The sub-commands. Each returns the exit status."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from inpaint_client import (
    DaemonInfo,
    EditJob,
    InputError,
    Mixing,
    Model,
    RecipeSource,
    StyleLevel,
    parse_recipe,
)
from inpaint_client.session.mixer_pad import amounts
from tqdm import tqdm

from .batch import fill_folder
from .connection import connect
from .fill import fill_one
from .images import UnusableImageError, read_document
from .jobs import Prepared, mixed_image, prepare
from .masks import read_mask
from .output import Run, Writer


def info(options: Namespace) -> int:
    """Run `inpaint info`."""
    with connect() as client:
        known = client.info()
    if options.json:
        print(json.dumps(_info_object(known)))
    else:
        print("\n".join(_info_lines(known)))
    return 0


def _info_object(known: DaemonInfo) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(known)


def _info_lines(known: DaemonInfo) -> list[str]:
    lines = [
        f"inpaint-server {known.version} on {known.device} ({known.precision}), "
        f"up {known.uptime_s:.0f} s, {known.queue_length} waiting"
    ]
    if known.last_killed is not None:
        lines.append(known.last_killed.sentence)
    for model in known.models:
        marks = [w for w, on in (("default", model.is_default), ("loaded", model.loaded)) if on]
        title = f" - {model.title}" if model.title else ""
        lines.append(
            f"\nmodel {model.name}{title} ({', '.join([f'{model.resolution} px', *marks])})"
        )
        if model.single_candidate:
            lines.append("  one candidate for each selection")
        lines += [f"  {line}" for line in _direction_lines(model)]
    return lines


def _direction_lines(model: Model) -> list[str]:
    if model.no_edits:
        return ["neither edits nor mixing"]
    if not model.directions:
        return ["no edits"]
    width = max(len(direction.name) for direction in model.directions)
    return [
        f"{d.name:{width}}  {d.minimum:+g} .. {d.maximum:+g}  {d.description}".rstrip()
        for d in model.directions
    ]


def fill(options: Namespace) -> int:
    """Run `inpaint fill` for one image or a folder of images."""
    with connect() as client:
        if options.n is None:
            options.n = _default_count(client.info().model(options.model))
        if options.image.is_dir():
            return fill_folder(client, options)
        run = fill_one(client, options, options.image, options.mask, options.out)
    _report(run, options)
    return 0


def _default_count(model: Model | None) -> int:
    return 1 if model is not None and model.single_candidate else 4


def edit(options: Namespace) -> int:
    """Run `inpaint edit`, which renders a candidate again with other edits."""
    recipe_text = _read_text(options.recipe)
    recipe = parse_recipe(recipe_text)
    attachment = _read_bytes(source_of(options.recipe))
    edits = options.edit or recipe.edits
    notes: tuple[str, ...] = ()
    with connect() as client:
        if len(options.style_recipe) > max(1, client.info().limits.max_mixings):
            raise InputError(
                "This daemon is older and cannot mix so many candidates.",
                "Update it, or use --style-recipe less often.",
            )
        if options.image is None:
            from .standalone import document_of_attachment

            document, coverage = document_of_attachment(attachment)
            prepared = prepare(document, coverage, client.info().limits)
            source = RecipeSource(recipe=recipe_text, attachment=attachment)
        else:
            document = read_document(options.image)
            marked = read_mask(options.mask, document.width, document.height, options.white)
            notes = marked.notes
            prepared = prepare(document, marked.coverage, client.info().limits)
            source = RecipeSource(
                recipe=recipe_text, attachment=attachment, capture=prepared.capture
            )
        job = EditJob(source=source, edits=edits, mixing=_mixing(options, prepared))
        with tqdm(desc=options.recipe.name, total=1, disable=None, leave=False) as bar:
            writer = Writer(options.out, prepared, options.format, notes)
            run = writer.write_all(client.edit(job), bar)
    _report(run, options)
    return 0


def _mixing(options: Namespace, prepared: Prepared) -> tuple[Mixing, ...]:
    levels = tuple(StyleLevel[level.upper()] for level in options.levels)
    if options.style_recipe:
        return tuple(
            Mixing(recipe=_read_text(path), levels=levels, amount=amount)
            for path, amount in zip(options.style_recipe, amounts(options.strength), strict=True)
        )
    if options.style_image is None:
        return ()
    style = read_document(options.style_image)
    if (style.width, style.height) != prepared.capture.document:
        width, height = prepared.capture.document
        raise UnusableImageError(
            f"{options.style_image} is {style.width} x {style.height} px; it must have the "
            f"size of the edited image, {width} x {height} px"
            + (" (without --image, this is the model's square)" if options.image is None else "")
        )
    image, box = mixed_image(style, prepared.capture.crop_box)
    (amount,) = options.strength
    return (Mixing(levels=levels, amount=amount, image=image, image_box=box),)


def source_of(recipe: Path) -> Path:
    """Return the path of a recipe's attachment, which a candidate and its variants share."""
    stem = recipe.name.removesuffix(".json").partition("-variant-")[0]
    return recipe.with_name(f"{stem}.source.png")


def _read_text(path: Path) -> str:
    try:
        return _read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnusableImageError(
            f"{path} is not a recipe, because it is not a text file"
        ) from error


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableImageError(f"{path} cannot be read: {error.strerror}") from error


def _report(run: Run, options: Namespace) -> None:
    for warning in dict.fromkeys(run.summary()["warnings"]):
        print(f"inpaint: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps(run.summary()))
        return
    for candidate in run.candidates:
        print(candidate["files"]["image"])
    print(run.sheet)
