"""Read and write mutated images with limited memory, in a separate process.

Arguments: a folder with valid files, the number of mutants, the seed, and the limit in MiB. Prints
one line per failure, then a summary.
"""

from __future__ import annotations

import random
import resource
import sys
import traceback
from collections import Counter
from pathlib import Path

from inpaint_cli.images import UnusableImageError, read_document, write_document
from inpaint_cli.masks import read_mask

TARGETS = (".png", ".jpg", ".tif", ".webp")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return data with some bytes changed, and sometimes cut, duplicated or moved."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        # The headers matter most.
        end = len(result) if rng.random() < 0.4 else min(len(result), 300)
        at = rng.randrange(end)
        result[at] = rng.choice((rng.randrange(256), 0, 255, result[at] ^ 1 << rng.randrange(8)))
    if rng.random() < 0.1:
        del result[rng.randrange(1, len(result)) :]
    if rng.random() < 0.05:
        at = rng.randrange(len(result))
        result[at:at] = result[at : at + rng.randrange(1, 200)]
    return bytes(result)


def main() -> None:
    """Try the mutants."""
    folder, count, seed, limit = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))
    rng, outcomes = random.Random(seed), Counter[str]()  # noqa: S311
    good = [(path, path.read_bytes()) for path in sorted(folder.iterdir())]
    work = folder.parent / "work"
    work.mkdir()
    for number in range(count):
        source, data = rng.choice(good)
        mutant = work / f"in{source.suffix}"
        mutant.write_bytes(mutated(data, rng))
        out = work / f"out{rng.choice(TARGETS)}"
        out.unlink(missing_ok=True)
        try:
            document = read_document(mutant)
            outcomes["read"] += 1
            if document.width * document.height < 1 << 20:
                write_document(out, document)
                read_document(out)
                outcomes["written"] += 1
            read_mask(mutant, document.width, document.height)
            outcomes["mask"] += 1
        except UnusableImageError as error:
            outcomes["refused"] += 1
            if "\n" in str(error) or len(str(error)) > 600:
                print("BAD: no single sentence:", repr(str(error))[:300])
        except MemoryError:  # the command reports this in one sentence
            outcomes["too large"] += 1
        except Exception:  # a user would see a traceback
            lines = traceback.format_exc().splitlines()
            print("BAD:", number, source.name, lines[-1], "|", " ".join(lines[-4:-1])[:300])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{count} mutants, peak {peak} MiB: {dict(outcomes)}")


if __name__ == "__main__":
    main()
