"""The floors of the house, read from the imports: a floor stands on those below it and no other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
FLOORS = {
    "service": 5,
    "supervisor": 5,
    "settings": 5,
    "sections": 5,
    "logs": 5,
    "cli": 4,
    "doctor": 4,
    "checkup": 4,
    "readiness": 4,
    "tables": 4,
    "contacts": 4,
    "fraud_tables": 4,
    "words": 4,
    "terminal": 4,
    "calls": 3,
    "ari": 2,
    "audio": 2,
    "books": 2,
    "store": 2,
    "shared": 2,
    "domain": 1,
}
APART = {"ari", "audio", "books", "shared", "store"}  # none of these imports another
DOORS = {"__init__": 6, "__main__": 6}  # the package itself, and how it is started
ENVIRONMENT = {"environ", "environb", "getenv", "putenv"}
MODULES = sorted((TOP / "screener").rglob("*.py"))


def room(path: Path) -> str:
    """Return the part of the screener in which a module lies."""
    return path.relative_to(TOP / "screener").parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every module and name that is imported anywhere, inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole path"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def faults(room_of_module: str, source: str) -> list[str]:
    """Say which imports of a module go up a floor or across."""
    floor = {**FLOORS, **DOORS}[room_of_module]
    found = []
    for name in imported(ast.parse(source)):
        package, *path = name.split(".")
        if package != "screener":
            continue
        there = path[0]
        up = FLOORS[there] > floor
        across = {room_of_module, there} <= APART and room_of_module != there
        if up or across:
            found.append(f"{room_of_module} imports {name}")
    return found


def names_used(source: str) -> set[str]:
    """Return every attribute and name that a module uses, and what it imports, in its last part."""
    tree = ast.parse(source)
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return used | {name.rpartition(".")[2] for name in imported(tree)}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_imports_go_down_only(module: Path) -> None:
    assert faults(room(module), module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_only_settings_service_and_supervisor_read_the_environment(
    module: Path,
) -> None:
    if room(module) not in {"settings", "service", "supervisor"}:
        assert not names_used(module.read_text(encoding="utf-8")) & ENVIRONMENT


@pytest.mark.parametrize(
    "module",
    [path for path in MODULES if room(path) == "domain"],
    ids=lambda path: str(path.relative_to(TOP)),
)
def test_the_domain_knows_no_clock_no_waiting_and_nothing_outside(module: Path) -> None:
    """It decides: whatever it needs to know is given to it."""
    source = module.read_text(encoding="utf-8")
    tree = ast.parse(source)
    packages = {name.partition(".")[0] for name in imported(tree)}
    assert not packages & {"asyncio", "time", "os", "socket", "subprocess", "aiohttp", "random"}
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node for node in ast.walk(tree) if isinstance(node, waiting)]
    asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not asked & {"now", "utcnow", "today"}


def test_every_part_of_the_screener_stands_on_a_floor() -> None:
    assert {room(module) for module in MODULES} == set(FLOORS) | set(DOORS)


@pytest.mark.parametrize(
    ("where", "source"),
    [
        ("domain", "from screener.store.rows import row_of"),
        ("ari", "import screener.calls.call"),
        ("ari", "from screener.store import database"),
        ("audio", "def late():\n    from screener.ari import Ari"),
        ("calls", "from screener import settings"),
        ("cli", "from screener.logs import configure"),
    ],
)
def test_an_import_that_goes_up_or_across_is_found(where: str, source: str) -> None:
    assert faults(where, source)
