"""Image files in folders and zips, read as one collection."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

from PIL import Image

Source = str | Path  # a folder or zip, optionally with `:prefix` of a folder inside


class ImageFiles:
    """The images of several sources, under unique names."""

    def __init__(self, found: dict[str, Archive], replaced: frozenset[str]) -> None:
        self._found = found
        self.replaced = replaced  # names

    def names(self) -> list[str]:
        """Return the sorted paths inside the folders and zips, including prefixes."""
        return sorted(self._found)

    def read(self, name: str) -> bytes:
        """Return the encoded image."""
        return self._found[name].read(name)

    def fingerprint(self, names: Sequence[str]) -> str:
        """Return a string that changes with the files of `names` or their locations."""
        taken: dict[Archive, list[str]] = {}
        for name in names:
            taken.setdefault(self._found[name], []).append(name)
        return json.dumps(sorted(archive.fingerprint(part) for archive, part in taken.items()))


@contextmanager
def open_images(
    sources: Source | Sequence[Source], replacements: Source | None = None
) -> Iterator[ImageFiles]:
    """Open sources; images of `replacements` replace those of the same name.

    Raises:
        ValueError: a source is missing or has no images, two contain the same name, or no
            replacement matches an image.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: dict[str, Archive] = {}
    with ExitStack() as stack:
        for source in sources:
            archive = stack.enter_context(Archive(source))
            names = archive.names()
            if twice := [name for name in names if name in found]:
                more = f" and {len(twice) - 1} more such names" if len(twice) > 1 else ""
                raise ValueError(
                    f"{found[twice[0]].source} and {source} both contain {twice[0]}{more}; rename "
                    "the images of one of them, or move both into one folder and give that"
                )
            found |= dict.fromkeys(names, archive)
        if not found:
            raise ValueError("no image source is given; give a folder or a zip of images")
        replaced: frozenset[str] = frozenset()
        if replacements is not None:
            archive = stack.enter_context(Archive(replacements))
            replaced = frozenset(found).intersection(archive.names())
            if not replaced:
                raise ValueError(
                    f"no image in {replacements} matches an image to replace, for example "
                    f"{min(found)}; give the replacements the same paths"
                )
            found |= dict.fromkeys(replaced, archive)
        yield ImageFiles(found, replaced)


class Archive:
    """A folder or zip of files. Reading is thread-safe."""

    def __init__(self, source: Source) -> None:
        """Open a source.

        Raises:
            ValueError: it is neither a folder nor a zip.
        """
        path, prefix = Path(source), ""
        if not path.exists() and ":" in str(source):
            before, _, prefix = str(source).rpartition(":")
            path, prefix = Path(before), prefix.strip("/") + "/" if prefix.strip("/") else ""
        if not path.exists():
            raise ValueError(f"{path} does not exist; give a folder or a zip of images")
        try:
            self._zip = None if path.is_dir() else zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is neither a folder nor a zip file") from error
        self.source = source
        self._path, self._prefix = path, prefix

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._zip is not None:
            self._zip.close()

    def names(self) -> list[str]:
        """Return the names of the images below the prefix.

        Raises:
            ValueError: there are none.
        """
        everything: Iterable[str]
        if self._zip is not None:
            everything = self._zip.namelist()
        else:
            everything = (
                file.relative_to(self._path).as_posix()
                for file in self._path.rglob("*")
                if file.is_file()
            )
        known = Image.registered_extensions()
        names = [
            name
            for name in everything
            if name.startswith(self._prefix)
            and Path(name).suffix.lower() in known
            and not any(part.startswith((".", "__MACOSX")) for part in Path(name).parts)
        ]
        if not names:
            raise ValueError(
                f"no images in {self.source}; give a folder or zip with PNG, JPEG or WebP images"
            )
        return names

    def read(self, name: str) -> bytes:
        """Return the content of one file."""
        if self._zip is not None:
            return self._zip.read(name)
        return (self._path / name).read_bytes()

    def beside_images(self, name: str, limit: int) -> tuple[str, bytes] | None:
        """Return folder (a prefix of names) and content of a file at the prefix or else the root.

        Raises:
            ValueError: it has more than `limit` bytes.
        """
        for folder in dict.fromkeys((self._prefix, "")):
            if self._zip is not None:
                there = folder + name in self._zip.NameToInfo
                size = self._zip.getinfo(folder + name).file_size if there else 0
            else:
                there = (self._path / folder / name).is_file()
                size = (self._path / folder / name).stat().st_size if there else 0
            if size > limit:
                raise ValueError(f"it has {size:,} bytes, more than {limit:,}")
            if there:
                return folder, self.read(folder + name)
        return None

    def fingerprint(self, names: Sequence[str]) -> str:
        """Return a string that changes when the files of `names` do."""
        files = [self._path] if self._zip is not None else [self._path / name for name in names]
        stats = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return json.dumps([str(self._path.resolve()), list(names), stats])
