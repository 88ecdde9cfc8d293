"""Fill one image: read it, send it to the daemon, and write the results."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from inpaint_client import RAW, Blending, BlockingClient, FillJob, SmoothFill, seed_sequence
from tqdm import tqdm

from .images import read_document
from .jobs import Prepared, prepare
from .masks import read_mask
from .output import Run, Writer


def fill_one(
    client: BlockingClient, options: Namespace, image: Path, mask: Path, folder: Path
) -> Run:
    """Fill one image and write its files."""
    document = read_document(image)
    marked = read_mask(mask, document.width, document.height, options.white)
    prepared = prepare(document, marked.coverage, client.info().limits)
    writer = Writer(folder, prepared, options.format, marked.notes)
    total = options.n * (1 + len(options.variant))
    # disable=None shows the bar only on a terminal.
    with tqdm(desc=image.name, total=total, disable=None, leave=False) as bar:
        return writer.write_all(client.fill(_fill_job(prepared, options)), bar)


def _fill_job(prepared: Prepared, options: Namespace) -> FillJob:
    return FillJob(
        capture=prepared.capture,
        model=options.model,
        seeds=seed_sequence(options.seed, options.n),
        truncation_psi=options.truncation,
        edits=options.edit,
        variants=tuple(options.variant),
        frame=options.frame,
        blending=RAW if options.no_blend else Blending(detail=False if options.no_detail else None),
        smooth=SmoothFill[options.smooth.upper()],
    )
