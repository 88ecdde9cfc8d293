"""Image files in folders and zips, several of which are read as one collection."""

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
    """The images of several sources, each under a name that no other one has."""

    def __init__(self, found: dict[str, Archive], replaced: frozenset[str]) -> None:
        self._found = found
        self.replaced = replaced  # names whose images come from the replacements

    def names(self) -> list[str]:
        """Return paths inside the folders and zips, prefixes included, sorted over all of them."""
        return sorted(self._found)

    def read(self, name: str) -> bytes:
        """Return the encoded image; may be called by several threads at once."""
        return self._found[name].read(name)

    def fingerprint(self, names: Sequence[str]) -> str:
        """Return a text that changes when the files of `names` do, or where they come from."""
        taken: dict[Archive, list[str]] = {}
        for name in names:
            taken.setdefault(self._found[name], []).append(name)
        return json.dumps(sorted(archive.fingerprint(part) for archive, part in taken.items()))


@contextmanager
def open_images(
    sources: Source | Sequence[Source], replacements: Source | None = None
) -> Iterator[ImageFiles]:
    """Open one source or several; the order in which they are named does not matter.

    Images of `replacements` take the place of those with the same names; its other images are
    not used. ValueError for a source that does not exist or holds no images, for a name that
    two sources hold, and for replacements none of which has the name of an image.
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
                    f"{found[twice[0]].source} and {source} both hold {twice[0]}{more}; rename the "
                    "images of one of them, or put both into folders inside one and name that"
                )
            found |= dict.fromkeys(names, archive)
        if not found:
            raise ValueError("no images are named; give a folder or a zip of images")
        replaced: frozenset[str] = frozenset()
        if replacements is not None:
            archive = stack.enter_context(Archive(replacements))
            replaced = frozenset(found).intersection(archive.names())
            if not replaced:
                raise ValueError(
                    f"no image in {replacements} has the name of one that it could replace, such "
                    f"as {min(found)}; give replacements the same paths"
                )
            found |= dict.fromkeys(replaced, archive)
        yield ImageFiles(found, replaced)


class Archive:
    """A folder or zip of files; thread-safe reading."""

    def __init__(self, source: Source) -> None:
        """ValueError if `source` does not exist or is neither a folder nor a zip."""
        path, prefix = Path(source), ""
        if not path.exists() and ":" in str(source):
            before, _, prefix = str(source).rpartition(":")
            path, prefix = Path(before), prefix.strip("/") + "/" if prefix.strip("/") else ""
        if not path.exists():
            raise ValueError(f"{path} does not exist; name a folder or a zip of images")
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
        """Return the images' names below the prefix.

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
                f"no images in {self.source}; name a folder or zip with PNG, JPEG, WebP"
            )
        return names

    def read(self, name: str) -> bytes:
        """Return the bytes of one file."""
        if self._zip is not None:
            return self._zip.read(name)
        return (self._path / name).read_bytes()

    def beside_images(self, name: str, limit: int) -> tuple[str, bytes] | None:
        """Return a file that is no image, and its folder as a prefix of names; None without one.

        It lies in the folder that the prefix names, or else at the root. ValueError if it has more
        than `limit` bytes.
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
        """Return a text that changes when the files of `names` do."""
        files = [self._path] if self._zip is not None else [self._path / name for name in names]
        stats = [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        return json.dumps([str(self._path.resolve()), list(names), stats])
