"""The layers: who may import whom, read from the source of every module."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

GROUND = {"generated", "segint_grpc.errors", "segint_grpc.domain"}
PLUMBING_NAMES = (
    *(
        "settings",
        "interpreters",
        "home",
        "logs",
        "lifeline",
        "locks",
        "allocator",
        "networks",
        "forwarding",
        "pace",
    ),
)
PLUMBING = {f"segint_grpc.{name}" for name in PLUMBING_NAMES} | {"segint_grpc"}
REFUSAL = {"segint_grpc.refusal"}
POOL = {f"segint_grpc.worker.{name}" for name in ("pool", "separate", "task")}
NOTHING = set[str]()

MAY_IMPORT = {
    "segint_grpc.errors": NOTHING,
    "segint_grpc.allocator": NOTHING,
    "segint_grpc.lifeline": NOTHING,
    "segint_grpc.logs": NOTHING,
    "segint_grpc.refusal": NOTHING,
    "segint_grpc.forwarding": NOTHING,
    "segint_grpc.networks": {"segint_grpc.errors", "segint_grpc.settings"},
    "segint_grpc.locks": {"segint_grpc.errors"},
    "segint_grpc.interpreters": {"segint_grpc.errors"},
    "segint_grpc.settings": {"segint_grpc.errors", "segint_grpc.interpreters"},
    "segint_grpc.tls": {"segint_grpc.errors", "segint_grpc.settings"},
    "segint_grpc.pace": NOTHING,
    "segint_grpc.zips": {"segint_grpc.errors"},
    "segint_grpc.home": {"segint_grpc.errors"},
    "segint_grpc.domain": {"segint_grpc.errors", "generated"},
    "segint_grpc.wire": GROUND,
    "segint_grpc.packaging": GROUND | {"segint_grpc.zips"},
    "segint_grpc.store": GROUND | {"segint_grpc.home", "segint_grpc.logs"},
    "segint_grpc.backends": GROUND | {"segint_grpc.zips"},
    "segint_grpc.backup": GROUND | PLUMBING | {"segint_grpc.serve", "segint_grpc.store"},
    "segint_grpc.preparation": GROUND | {"segint_grpc.backends"},
    "segint_grpc.guests": GROUND | {"segint_grpc", "segint_grpc.backends"},
    "segint_grpc.worker": GROUND
    | PLUMBING
    | {"segint_grpc.guests"}
    | {"segint_grpc.wire", "segint_grpc.backends", "segint_grpc.preparation"},
    "segint_grpc.service": GROUND
    | PLUMBING
    | POOL
    | {"segint_grpc.guests"}
    | {"segint_grpc.wire", "segint_grpc.backends", "segint_grpc.backup", "segint_grpc.store"},
    "segint_grpc.api": GROUND | PLUMBING | REFUSAL | {"segint_grpc.service", "segint_grpc.tls"},
    "segint_grpc.serve": PLUMBING | {"segint_grpc.errors", "segint_grpc.tls"},
    "segint_grpc.client": GROUND
    | PLUMBING
    | REFUSAL
    | {"segint_grpc.packaging", "segint_grpc.zips", "segint_grpc.tls"},
    "segint_grpc.cli": GROUND
    | PLUMBING
    | {
        "segint_grpc.client",
        "segint_grpc.serve",
        "segint_grpc.backends",
        "segint_grpc.backup",
        "segint_grpc.guests",
        "segint_grpc.packaging",
        "segint_grpc.zips",
        "segint_grpc.tls",
    },
    "http_gateway": PLUMBING | REFUSAL | {"generated", "segint_grpc.errors", "segint_grpc.tls"},
}
"""Package or module → what it may import of this project beside itself. server.py, which builds the core,
and __main__.py may import every layer."""

BUILDERS = {"segint_grpc.server", "segint_grpc.__main__"}

ONLY_IN = {
    "peewee": {"segint_grpc.store"},
    "playhouse": {"segint_grpc.store"},
    "sqlite3": {"segint_grpc.store", "segint_grpc.client.original"},
    "torch": {"segint_grpc.backends", "segint_grpc.worker"},
    "cryptography": {"segint_grpc.backup", "segint_grpc.tls"},
    "scipy": {"segint_grpc.backends", "segint_grpc.preparation"},
    "keras": {"segint_grpc.backends"},
    "onnxruntime": {"segint_grpc.backends"},
    "sklearn": {"segint_grpc.backends"},
    "skops": {"segint_grpc.backends"},
    "tensorflow": {"segint_grpc.backends"},
    "xgboost": {"segint_grpc.backends"},
    "urllib3": {"segint_grpc.backends"},
    "grpc": {"segint_grpc.api", "segint_grpc.server", "http_gateway", "segint_grpc.client"},
    "grpc_health": {"segint_grpc.api", "segint_grpc.server", "http_gateway"},
    "aiohttp": {"http_gateway", "segint_grpc.client"},
    "prometheus_client": {"http_gateway"},
    "nibabel": {"segint_grpc.client"},
    "pydicom": {"segint_grpc.client"},
    "PIL": {"segint_grpc.client"},
    "click": {"segint_grpc.cli"},
    "rich": {"segint_grpc.cli"},
    "pydantic": NOTHING,
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {
    module_name(path): path
    for package in ("segint_grpc", "http_gateway")
    for path in (ROOT / package).rglob("*.py")
}
IS_MODULE = {*PATHS, "generated"}


def imports(path: Path, *, at_import_only: bool = False) -> Iterator[str]:
    """Yield what `path` imports, by full name; functions' imports too unless `at_import_only`."""
    tree = ast.parse(path.read_text())
    for node in list(_outside_functions(tree)) if at_import_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in IS_MODULE else str(node.module) for name in names)


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
            yield from _outside_functions(child)


def within(name: str, places: set[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def ours(name: str) -> bool:
    return within(name, {"segint_grpc", "http_gateway", "generated"})


def layer_of(module: str) -> str | None:
    return max((layer for layer in MAY_IMPORT if within(module, {layer})), key=len, default=None)


@pytest.mark.parametrize("module", sorted(set(PATHS) - BUILDERS - {"segint_grpc"}))
def test_a_module_imports_its_own_layer_and_those_below(module: str) -> None:
    layer = layer_of(module)
    assert layer is not None, f"{module} is in no layer; add it to MAY_IMPORT"
    allowed = MAY_IMPORT[layer] | {layer}
    above = {name for name in imports(PATHS[module]) if ours(name) and not _allowed(name, allowed)}
    assert not above, f"{module} may import of this project only {sorted(allowed)}"


def _allowed(name: str, allowed: set[str]) -> bool:
    return name in allowed or within(name, allowed - {"segint_grpc"})


@pytest.mark.parametrize("module", sorted(PATHS))
def test_a_library_is_used_only_where_it_belongs(module: str) -> None:
    for name in imports(PATHS[module]):
        places = ONLY_IN.get(name.partition(".")[0])
        assert places is None or within(module, places), f"{module} imports {name}"


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {
        module: {name for name in imports(path, at_import_only=True) if name in PATHS and name != module}
        for module, path in PATHS.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports go in a circle: {' → '.join(error.args[1])}")


def test_the_core_and_the_gateway_never_load_torch() -> None:
    program = (
        "import sys, segint_grpc.server, http_gateway.__main__;"
        "loaded = {'torch', 'scipy', 'nibabel', 'pydicom'} & set(sys.modules); assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_no_module_is_named_after_the_standard_library_or_for_odds_and_ends() -> None:
    names = {module.rpartition(".")[2] for module in PATHS}
    assert not names & (set(sys.stdlib_module_names) - {"__main__"})
    assert not names & {"utils", "helpers", "common", "misc"}
