"""Build the plug-ins' zips: build/plugins/inpaint_krita.zip and build/plugins/inpaint-gimp.zip.

    python plugins/build.py [krita] [gimp]

Each zip contains inpaint_client, inpaint_protos and the pinned wheels of vendor.txt under a private
name (`inpaint_krita._vendor.google.protobuf`), because all plug-ins of Krita share one interpreter,
in which another plug-in may use another protobuf. All imports are rewritten. To verify the result,
it is imported in clean interpreters, alone and together with public packages of the same names. The
build fails if a public name leaks.

pip and a network are only needed until the wheels are in build/wheels. The script prints one line
for each zip. The project's wheel includes them as inpaint_install/plugins/*.zip
(protos/hatch_build.py).
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PLUGINS = ROOT / "plugins"
OUT = ROOT / "build" / "plugins"
WHEELS = ROOT / "build" / "wheels"
OLDEST_PYTHON = "3.10"

OURS = {"inpaint_client": PLUGINS / "client", "inpaint_protos": ROOT / "protos"}
VENDORED = {"google", "grpclib", "h2", "hpack", "hyperframe", "multidict", "typing_extensions"}
PRIVATE = VENDORED | set(OURS)  # names that only exist inside _vendor
HOST_NAMES = {"krita", "pykrita", "PyQt5", "PyQt6", "gi"}  # additional imports of our own code
# Files that a client does not need: servers, code generators, C extensions, types.
SKIP = re.compile(
    r"\.dist-info/|__pycache__|\.py[cio]$|py\.typed$|_pb2_grpc\.py$|\.proto$"
    r"|grpclib/(channelz|health|plugin|reflection|server|testing)"
    r"|google/(_upb|protobuf/(compiler|pyext|testdata|internal/testing_refleaks))"
)


class Plugin(NamedTuple):
    """A plug-in and the layout of its zip."""

    zip_name: str
    source: Path  # the folder to pack
    package: str  # package of the plug-in, inside `source`
    entry: str  # path in the zip of the file that the host loads
    prefix: str = ""  # folder in the zip that contains everything
    executable: bool = False  # whether the host runs the entry as a program


KRITA = Plugin(
    "inpaint_krita.zip", PLUGINS / "krita", "inpaint_krita", entry="inpaint_krita.desktop"
)
GIMP = Plugin(
    "inpaint-gimp.zip",
    PLUGINS / "gimp",
    "inpaint_gimp",
    entry="inpaint-gimp/inpaint-gimp.py",
    prefix="inpaint-gimp/",
    executable=True,
)
ALL = {"krita": KRITA, "gimp": GIMP}


class BuildError(Exception):
    """The build failed; the message has the reason and the remedy."""


def build(plugin: Plugin, wheels: Path = WHEELS, out: Path = OUT) -> Path:
    """Build and verify a zip, and return its path; an unpacked copy stays in `out`/stage."""
    stage = out / "stage" / plugin.package
    shutil.rmtree(stage, ignore_errors=True)
    shutil.copytree(plugin.source, stage / plugin.prefix, ignore=_not_packed)
    if not (stage / plugin.entry).is_file():
        raise BuildError(f"{plugin.source} lacks {plugin.entry}, which the host loads; restore it.")
    package = stage / plugin.prefix / plugin.package
    private = f"{plugin.package}._vendor"
    vendor(package / "_vendor", wheels)
    for path in sorted(package.rglob("*.py")):
        _rewrite_file(path, private)
    _check_own_imports(package, plugin.package)
    verify(stage / plugin.prefix, private)
    archive = out / plugin.zip_name
    write_zip(archive, stage, plugin.entry if plugin.executable else "")
    return archive


def vendor(folder: Path, wheels: Path) -> None:
    """Copy our packages and the content of the wheels, with their licenses, without rewriting."""
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Private copies; see licenses."""\n')
    for package, root in OURS.items():
        for path in sorted((root / package).rglob("*")):
            _copy(path, folder / path.relative_to(root))
    for wheel in fetch_wheels(wheels):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if re.search(r"\.dist-info/(licenses/)?LICEN[CS]E", name):
                    target = folder / "licenses" / f"{wheel.name.split('-')[0]}.txt"
                elif SKIP.search(name) or name.endswith("/"):
                    continue
                else:
                    target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    (folder / "google" / "__init__.py").touch()
    shutil.copy(ROOT / "LICENSE", folder / "licenses" / "inpaint.txt")
    _pin_implementation(folder / "google/protobuf/internal/api_implementation.py")


def fetch_wheels(wheels: Path) -> list[Path]:
    """Return the wheels of vendor.txt, identified by hash; download them if one is missing."""
    found = _find_wheels(wheels)
    if found is None:
        _download(wheels)
        found = _find_wheels(wheels)
    if found is None:
        raise BuildError(f"pip did not download every wheel of plugins/vendor.txt to {wheels}.")
    return found


def _find_wheels(wheels: Path) -> list[Path] | None:
    pins = re.findall(r"--hash=sha256:(\w+)", (PLUGINS / "vendor.txt").read_text())
    by_hash = {sha256(path.read_bytes()).hexdigest(): path for path in wheels.glob("*.whl")}
    return [by_hash[pin] for pin in pins] if by_hash.keys() >= set(pins) else None


def _download(wheels: Path) -> None:
    arguments = [
        *("download", "--quiet", "--disable-pip-version-check", "--retries", "1"),
        *("--require-hashes", "--no-deps"),
        *("--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none"),
        *("--python-version", OLDEST_PYTHON, "--dest", str(wheels)),
        *("--requirement", str(PLUGINS / "vendor.txt")),
    ]
    pip = shutil.which("pip3") or shutil.which("pip")
    for command in ([sys.executable, "-m", "pip"], [pip] if pip else []):
        if command and subprocess.run([*command, *arguments], check=False).returncode == 0:  # noqa: S603
            return
    raise BuildError(
        "The wheels of plugins/vendor.txt could not be downloaded; see pip's messages above. "
        f"Build with a network connection, or put the wheels into {wheels}."
    )


def _not_packed(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(".") or name == "__pycache__"]


def _copy(path: Path, target: Path) -> None:
    if path.is_file() and not SKIP.search(path.as_posix()):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _pin_implementation(path: Path) -> None:
    """Make the private protobuf use pure Python, regardless of the host's environment variables."""
    text, count = re.subn(
        r"os\.getenv\('PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION',\s*_implementation_type\)",
        "'python'",
        path.read_text("utf-8"),
    )
    if count != 1:
        raise BuildError(
            f"{path} has changed; adapt _pin_implementation to its choice of the implementation."
        )
    path.write_text(text, "utf-8")


# ---------------------------------------------------------------------------------------------
# Imports


def rewrite(source: str, private: str) -> str:
    """Replace every import of a PRIVATE package in `source` by one of `private.package`."""
    data = source.encode("utf-8")
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    pieces: list[tuple[int, int, str]] = []
    for node in ast.walk(ast.parse(source)):
        replacement = _replacement(node, private)
        if replacement is not None:
            place, text = replacement
            begin = starts[place.lineno - 1] + place.col_offset
            end = starts[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)
            pieces.append((begin, end, text))
    for begin, end, text in sorted(pieces, reverse=True):
        data = data[:begin] + text.encode("utf-8") + data[end:]
    return data.decode("utf-8")


def _replacement(node: ast.AST, private: str) -> tuple[ast.stmt | ast.expr, str] | None:
    """Return the node to replace and its new text; None to keep the node."""
    if isinstance(node, ast.ImportFrom) and node.level == 0 and _is_private(node.module or ""):
        names = ", ".join(_spelled(alias) for alias in node.names)
        return node, f"from {private}.{node.module} import {names}"
    if isinstance(node, ast.Import) and any(_is_private(alias.name) for alias in node.names):
        return node, "; ".join(_import_statement(alias, private) for alias in node.names)
    if isinstance(node, ast.Call) and node.args:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else None
        called = node.func.id if isinstance(node.func, ast.Name) else called
        first = node.args[0]
        if called in {"_CanImport", "import_module", "__import__"} and (
            isinstance(first, ast.Constant)
            and isinstance(first.value, str)
            and _is_private(first.value)
        ):
            return first, repr(f"{private}.{first.value}")
    return None


def _import_statement(alias: ast.alias, private: str) -> str:
    if not _is_private(alias.name):
        return f"import {_spelled(alias)}"
    top, dot, _ = alias.name.partition(".")
    if alias.asname or not dot:
        parent, _, last = f"{private}.{alias.name}".rpartition(".")
        return f"from {parent} import {last} as {alias.asname or last}"
    return f"import {private}.{alias.name}; from {private} import {top}"


def _spelled(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _is_private(module: str) -> bool:
    return module.partition(".")[0] in PRIVATE


def _rewrite_file(path: Path, private: str) -> None:
    source = path.read_text("utf-8")
    if not any(name in source for name in PRIVATE):
        return
    path.write_text(rewrite(source, private), "utf-8")
    leaked = set(imported(path)) & PRIVATE
    if leaked:
        raise BuildError(f"{path} still imports {', '.join(sorted(leaked))}.")


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names of all packages that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.split(".")[0]


def _check_own_imports(package: Path, name: str) -> None:
    """Check that our code only imports the standard library and the host's packages."""
    allowed = sys.stdlib_module_names | HOST_NAMES | {name}
    vendor_folder = package / "_vendor"
    for path in sorted(package.rglob("*.py")):
        own = path.relative_to(vendor_folder).parts[0] if vendor_folder in path.parents else name
        if own in {name, *OURS} and (foreign := set(imported(path)) - allowed):
            raise BuildError(
                f"{path} imports {', '.join(sorted(foreign))}, which no host provides; remove it."
            )


# ---------------------------------------------------------------------------------------------
# Proof

_USE = """
import sys, importlib
sys.path.insert(0, {folder!r})
before = dict(sys.modules)
pb = importlib.import_module({private!r} + ".inpaint_protos.v1.inpaint_pb2")
client = importlib.import_module({private!r} + ".inpaint_client")
message = pb.FillHeader(seeds=[1, 2], model="proof", truncation_psi=0.5)
assert pb.FillHeader.FromString(message.SerializeToString()) == message
implementation = importlib.import_module(
    {private!r} + ".google.protobuf.internal.api_implementation")
assert implementation.Type() == "python", implementation.Type()
new = {{name.split(".")[0] for name in sys.modules.keys() - before.keys()}}
leaked = new - sys.stdlib_module_names - {{{package!r}}}
assert not leaked, f"leaked: {{sorted(leaked)}}"
assert all(sys.modules[name] is module for name, module in before.items())
"""
_BESIDE = """
import sys
sys.path.append({site!r})
from google.protobuf import struct_pb2
import google.protobuf.message, h2.connection, grpclib.client, multidict
public = struct_pb2.Value(string_value="public")
"""


def verify(folder: Path, private: str) -> None:
    """Import the built tree in a clean interpreter, then together with the public packages."""
    use = _USE.format(folder=str(folder), private=private, package=private.partition(".")[0])
    _prove(use, "alone")
    site = _site_of_public_packages()
    if site:
        after = "assert struct_pb2.Value.FromString(public.SerializeToString()) == public\n"
        _prove(_BESIDE.format(site=site) + use + after, "together with public packages")


def _prove(code: str, where: str) -> None:
    command = [sys.executable, "-B", "-I", "-S", "-W", "error", "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if result.returncode != 0:
        raise BuildError(f"The built tree does not work {where}:\n{result.stderr}")


def _site_of_public_packages() -> str:
    """Return the folder with public copies of the vendored packages; empty if there is none."""
    places = (Path(entry) for entry in sys.path if entry)
    wanted = ("google/protobuf", "grpclib", "h2", "multidict")
    return next((str(p) for p in places if all((p / name).is_dir() for name in wanted)), "")


# ---------------------------------------------------------------------------------------------
# Zip


def write_zip(archive: Path, folder: Path, executable: str) -> None:
    """Pack `folder` reproducibly: sorted, with fixed times and modes.

    Directories get their own entries, which Krita's importer requires.
    """
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            entry = zipfile.ZipInfo(name + "/" if path.is_dir() else name)
            entry.create_system = 3  # always Unix, so that the modes are used
            entry.compress_type = zipfile.ZIP_DEFLATED
            mode = 0o040755 if path.is_dir() else 0o100755 if name == executable else 0o100644
            entry.external_attr = mode << 16 | (0x10 if path.is_dir() else 0)
            packed.writestr(entry, b"" if path.is_dir() else path.read_bytes())


def main(arguments: list[str]) -> int:
    """Build the given plug-ins, or all of them; return the exit status."""
    unknown = set(arguments) - set(ALL)
    if unknown:
        print(f"usage: python plugins/build.py [{'] ['.join(ALL)}]", file=sys.stderr)
        return 2
    try:
        # The generated code is not part of the repository.
        subprocess.run([sys.executable, str(ROOT / "protos/hatch_build.py")], check=True)  # noqa: S603
        for name in arguments or ALL:
            archive = build(ALL[name])
            print(f"{archive.relative_to(ROOT)}  {archive.stat().st_size / 1024:.0f} KiB")
    except (BuildError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
