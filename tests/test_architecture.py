"""The allowed imports between packages, and between the rooms (subpackages) of a package.

protos <- client <- plug-ins, install; client, install <- cli; protos, model <- server. The model
does not use gRPC. The `inpaint` command uses only compositing and colors of the model.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# folder of a package -> our packages and the wire libraries that it may import
OURS = {
    "inpaint_model",
    "inpaint_server",
    "inpaint_cli",
    "inpaint_install",
    "inpaint_protos",
    "inpaint_client",
    "inpaint_krita",
    "inpaint_gimp",
}
WIRE = {"grpc", "grpc_health", "grpc_reflection", "grpclib", "google"}
HOSTS = {"krita", "gi", "PyQt5", "PyQt6"}
HEAVY = {"torch", "numpy", "PIL", "safetensors", "yaml", "scipy", "sklearn", "cv2"}
CHECKING = {"pydantic", "pydantic_core", "annotated_types"}  # compiled, so not for the client

ALLOWED: dict[str, set[str]] = {
    "protos/inpaint_protos": WIRE,
    "model/inpaint_model": HEAVY | CHECKING,
    "server/inpaint_server": {"inpaint_model", "inpaint_protos", "annotated_types"} | WIRE | HEAVY,
    "plugins/client/inpaint_client": {"inpaint_protos", "grpclib", "google"},
    "plugins/cli/inpaint_cli": {"inpaint_client", "inpaint_install", "inpaint_model"}
    | {"numpy", "PIL"},
    "plugins/install/inpaint_install": {"inpaint_client"},
    "plugins/krita/inpaint_krita": {"inpaint_client"} | {"krita", "PyQt5", "PyQt6"},
    "plugins/gimp/inpaint_gimp": {"inpaint_client"} | {"gi"},
}
# Modules that a folder may import from a package of which it may not import others.
ALLOWED_MODULES: dict[tuple[str, str], set[str]] = {
    ("plugins/cli/inpaint_cli", "inpaint_model"): {
        "inpaint_model.document.color",
        "inpaint_model.document.compositing",
        "inpaint_model.document.geometry",
    },
}
RESTRICTED = OURS | WIRE | HOSTS | HEAVY | CHECKING


def imports_of(path: Path) -> set[str]:
    """Return the modules that a file imports by absolute name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def imported_packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path)}


def violations(folder: str, root: Path = ROOT) -> list[str]:
    package = Path(folder).name
    allowed = ALLOWED[folder] | {package}
    sources = [
        path
        for path in sorted((root / folder).rglob("*.py"))
        if not path.stem.endswith(("_pb2", "_pb2_grpc"))
    ]
    return [
        f"{path.relative_to(root)} imports {name}"
        for path in sources
        for name in sorted((imported_packages(path) & RESTRICTED) - allowed)
    ] + [
        f"{path.relative_to(root)} imports {name}"
        for path in sources
        for (importer, imported), modules in ALLOWED_MODULES.items()
        if importer == folder
        for name in sorted(imports_of(path))
        if name.split(".")[0] == imported and name not in modules
    ]


def test_only_the_room_for_clusters_imports_ray() -> None:
    server = ROOT / "server" / "inpaint_server"
    users = {path for path in server.rglob("*.py") if "ray" in imported_packages(path)}
    allowed = {*(server / "cluster").glob("*.py"), server / "daemon" / "main.py"}
    assert users
    assert users <= allowed


def test_only_one_module_imports_opentelemetry() -> None:
    server = ROOT / "server" / "inpaint_server"
    users = [path for path in server.rglob("*.py") if "opentelemetry" in imported_packages(path)]
    assert users == [server / "tracing.py"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_imports_follow_the_arrows(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert violations(folder) == []


# Modules that could download something; none of our packages may use them.
FETCHING = {"aiohttp", "ftplib", "http", "httpx", "requests", "urllib", "urllib3", "xmlrpc"}


@pytest.mark.parametrize("folder", sorted(ALLOWED))
def test_nothing_is_fetched_from_the_network(folder: str) -> None:
    for path in sorted((ROOT / folder).rglob("*.py")):
        assert not imported_packages(path) & FETCHING, path
        assert "torch.hub" not in path.read_text("utf-8"), path


@pytest.mark.parametrize(
    ("folder", "line", "found"),
    [
        ("model/inpaint_model", "from inpaint_protos.v1 import inpaint_pb2", "inpaint_protos"),
        ("plugins/cli/inpaint_cli", "import inpaint_model.document", "inpaint_model.document"),
        ("plugins/cli/inpaint_cli", "from inpaint_model import load_bundle", "inpaint_model"),
    ],
)
def test_a_planted_violation_is_found(folder: str, line: str, found: str, tmp_path: Path) -> None:
    planted = tmp_path / folder / "planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(f"def f():\n    {line}\n")
    assert violations(folder, tmp_path) == [f"{folder}/planted.py imports {found}"]


# The rooms of a package -> the lower rooms that each may import. A module next to the rooms, for
# example `errors.py`, counts as a room; `__init__.py` may import any.
ROOMS: dict[str, dict[str, set[str]]] = {
    "model/inpaint_model": {
        "networks": set(),
        "document": set(),
        "segmentation": {"document"},
        "framing": {"document", "networks"},
        "baselines": {"networks"},
        "bundle": {"baselines", "framing", "networks"},
        "data": {"bundle", "document"},
        "inference": {"data", "bundle", "baselines", "framing", "document", "networks"},
        "pipeline": {"inference", "framing", "segmentation", "document", "networks"},
        "importing": {"bundle", "networks"},
        "training": {"data", "bundle", "framing", "networks"},
        "evaluation": {"inference", "data", "bundle", "document", "networks"},
        "directions": {"evaluation", "inference", "data", "bundle", "document", "networks"},
        "cli": {
            "directions",
            "evaluation",
            "training",
            "importing",
            "inference",
            "data",
            "bundle",
            "baselines",
            "document",
            "networks",
        },
    },
    "server/inpaint_server": {
        "errors": set(),
        "spans": set(),
        "tracing": {"spans"},
        "config": {"errors"},
        "scheduling": {"errors"},
        "models": {"scheduling", "errors"},
        "filling": {"scheduling", "models", "errors"},
        "serving": {"filling", "scheduling", "models", "config", "errors", "spans"},
        "wire": {"serving", "filling", "scheduling", "models", "config", "errors", "spans"},
        "cluster": {"serving", "filling", "scheduling", "models", "config", "errors"},
        "daemon": {
            "cluster",
            "tracing",
            "wire",
            "serving",
            "scheduling",
            "models",
            "config",
            "errors",
        },
        "cli": {"daemon", "models", "config", "errors"},
        "__main__": {"cli"},
    },
    "plugins/krita/inpaint_krita": {
        "text": set(),
        "host": {"text"},
        "runs": {"host", "text"},
        "app": {"runs", "host", "text"},
        "ui": {"app", "runs", "host", "text"},
        "extension": {"ui", "app", "runs", "host", "text"},
    },
    "plugins/gimp/inpaint_gimp": {
        "translation": set(),
        "host": {"translation"},
        "runs": {"host", "translation"},
        "app": {"runs", "translation"},
        "ui": {"app", "runs", "host", "translation"},
        "actions": {"ui", "app", "runs", "host"},
        "plugin": {"actions", "app", "runs", "translation"},
    },
    "plugins/cli/inpaint_cli": {
        "layers": set(),
        "sheet": set(),
        "connection": set(),
        "exit_status": set(),
        "profiles": set(),
        "png_chunks": set(),
        "metadata": {"png_chunks"},
        "tiff_files": {"metadata"},
        "whole_files": set(),
        "images": {"metadata", "png_chunks", "profiles", "tiff_files", "whole_files"},
        "masks": {"images"},
        "color": {"images", "profiles"},
        "standalone": {"images"},
        "jobs": {"color", "images"},
        "output": {"color", "images", "jobs", "layers", "metadata", "sheet", "whole_files"},
        "fill": {"images", "jobs", "masks", "output"},
        "batch": {"exit_status", "fill", "images", "output"},
        "daemons": {"exit_status"},
        "commands": {
            "batch",
            "connection",
            "fill",
            "images",
            "jobs",
            "masks",
            "output",
            "standalone",
        },
        "select": {"color", "connection", "images", "jobs"},
        "cli": {"daemons", "commands", "exit_status", "images", "select"},
        "__main__": {"cli"},
    },
}


def imported_modules(path: Path, package: Path) -> set[str]:
    """Return the modules of its own package that a file imports, without the package's name."""
    here = path.relative_to(package).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [package.name, *here[: len(here) - node.level + 1]] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        prefix = package.name + "."
        found.update(name.removeprefix(prefix) for name in names if name.startswith(prefix))
    return found


def forbidden_arrows(folder: str, root: Path = ROOT) -> list[str]:
    package, arrows = root / folder, ROOMS[folder]
    return [
        f"{path.relative_to(package)} imports {name}"
        for path in sorted(package.rglob("*.py"))
        if path != package / "__init__.py"
        for room in [path.relative_to(package).with_suffix("").parts[0]]
        for name in sorted(imported_modules(path, package))
        for target in [name.partition(".")[0]]
        if target not in {room} | arrows[room]
        and ((package / target).is_dir() or (package / f"{target}.py").is_file())
    ]


def test_the_client_does_not_import_its_session_code() -> None:
    package = ROOT / "plugins" / "client" / "inpaint_client"
    for path in package.glob("*.py"):
        if path.name != "__init__.py":
            rooms = {name.partition(".")[0] for name in imported_modules(path, package)}
            assert "session" not in rooms, path


@pytest.mark.parametrize("folder", sorted(ROOMS))
def test_rooms_import_only_lower_rooms(folder: str) -> None:
    assert forbidden_arrows(folder) == []
    TopologicalSorter(ROOMS[folder]).prepare()  # raises CycleError


def test_the_model_has_few_rooms() -> None:
    rooms = ROOMS["model/inpaint_model"]
    package = ROOT / "model" / "inpaint_model"
    entries = {p.name for p in package.iterdir() if p.is_file() or any(p.rglob("*.py"))}
    assert entries == {*rooms, "__init__.py", "py.typed"}
    assert len(rooms) <= 14
    assert sum(map(len, rooms.values())) <= 47


def test_a_planted_arrow_is_found(tmp_path: Path) -> None:
    package = tmp_path / "model" / "inpaint_model"
    for room in ("networks", "cli"):
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    planted = package / "networks" / "planted.py"
    planted.write_text("def f():\n    from ..cli import main\n    import inpaint_model.cli.main\n")
    assert forbidden_arrows("model/inpaint_model", tmp_path) == [
        "networks/planted.py imports cli.main"
    ]
