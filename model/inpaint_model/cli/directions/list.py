"""Show, rename or remove directions."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--rename",
        nargs=2,
        action="append",
        default=[],
        metavar=("OLD", "NEW"),
        help="rename a direction; a component is offered from then on; may be repeated",
    )
    parser.add_argument(
        "--remove",
        action="append",
        default=[],
        metavar="NAME",
        help="remove a direction; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from dataclasses import replace

    from inpaint_model.bundle.direction_store import load_vectors, write_directions
    from inpaint_model.bundle.manifest import find_bundle, read_bundle

    info = read_bundle(find_bundle(args.bundle))
    new_names = dict(args.rename)
    names = [direction.name for direction in info.directions]
    unknown = sorted({*new_names, *args.remove} - set(names))
    if unknown:
        raise ValueError(f"no direction {unknown[0]!r}; there are: {', '.join(names) or 'none'}")
    if new_names or args.remove:
        stored = {} if set(args.remove) == set(names) else load_vectors(info)
        kept, vectors = [], {}
        for direction in info.directions:
            if direction.name in args.remove:
                continue
            name = new_names.get(direction.name, direction.name)
            named_now = direction.name in new_names and not direction.attribute
            offered = direction.offered or (named_now and not direction.foreign)
            kept.append(replace(direction, name=name, offered=offered))
            vectors[name] = stored[direction.name]
        if len(vectors) < len(kept):
            raise ValueError("two directions would have the same name; choose another name")
        info = write_directions(info, kept, vectors)
    for direction in info.directions:
        state = "offered" if direction.offered else "not offered"
        if direction.foreign:
            state += ", foreign"
        print(
            f"{direction.name:28} {direction.group:12} {direction.minimum:+.1f}..."
            f"{direction.maximum:+.1f}  {state:12}  {direction.source}"
        )
    return 0
