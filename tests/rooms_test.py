"""What one room alone may know: devices, the format of run folders, flags."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
FILES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for folder in ("mspd_jax", "launch")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
DEVICES = {
    "pmap",
    "shard_map",
    "devices",
    "local_devices",
    "device_count",
    "local_device_count",
    "default_backend",
}
PROCESSES = {"process_index", "process_count", "sync_global_devices"}
FOLDERS = ("records.jsonl", "run.json", "metrics.jsonl", "records*.jsonl")


def asks_jax(source, names):
    """Whether a source takes one of these from JAX."""
    nodes = list(ast.walk(ast.parse(source)))
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id in ("jax", "multihost_utils")
        for node in nodes
    ) or any(
        alias.name in names
        for node in nodes
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jax")
        for alias in node.names
    )


def names_maps(source):
    """Whether a source maps a function over devices."""
    return asks_jax(source, {"pmap", "shard_map"})


def names_devices(source):
    """Whether a source asks JAX for devices, or maps over them."""
    return asks_jax(source, DEVICES)


def names_processes(source):
    """Whether a source asks JAX for the processes of a cluster."""
    return asks_jax(source, PROCESSES)


def names_records(source):
    """Whether a source holds the name of a file of records as a value, not in words."""
    texts = {
        id(node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
    }
    return any(
        isinstance(node, ast.Constant)
        and node.value in FOLDERS
        and id(node) not in texts
        for node in ast.walk(ast.parse(source))
    )


def names_stores(source):
    """Whether a source imports what speaks to object stores."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [
        alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
    ]
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    known = ("fsspec", "s3fs", "gcsfs", "etils.epath")
    return any(name.startswith(known) for name in names)


def reads_flags(source):
    """Whether a source reads or defines flags of absl."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "absl":
            if any(alias.name == "flags" for alias in node.names):
                return True
        if isinstance(node, ast.Import):
            if any(alias.name == "absl.flags" for alias in node.names):
                return True
    return False


RULES = {
    "maps": (names_maps, ("mspd_jax/drive/_replicate.py",)),
    "devices": (names_devices, ("mspd_jax/drive/",)),
    # Orbax has all processes save a model, and one of them put it in place.
    "processes": (
        names_processes,
        ("mspd_jax/drive/", "mspd_jax/models/_checkpoint.py"),
    ),
    "stores": (names_stores, ("mspd_jax/paths/",)),
    "run folders": (names_records, ("mspd_jax/runs/",)),
    "flags": (reads_flags, ("launch/_main.py", "launch/_job_flags.py")),
}


@pytest.mark.parametrize("rule", RULES)
def test_one_room_alone_knows(rule):
    breaks, rooms = RULES[rule]
    knowing = [name for name, source in FILES.items() if breaks(source)]
    assert [name for name in knowing if not name.startswith(rooms)] == []
    assert knowing, "the rule finds nothing at all"


@pytest.mark.parametrize(
    ("breaks", "source"),
    [
        (names_devices, "import jax\nn = jax.device_count()"),
        (names_devices, "import jax\nf = jax.pmap(g)"),
        (names_maps, "from jax import pmap"),
        (names_processes, "import jax\nn = jax.process_count()"),
        (names_records, 'path = folder / "records.jsonl"'),
        (names_stores, "def f():\n    import fsspec"),
        (names_stores, "from etils import epath, epy"),
        (reads_flags, "from absl import app, flags"),
    ],
)
def test_each_rule_can_be_broken(breaks, source):
    assert breaks(source)
    assert not breaks('"""Words about records.jsonl."""\nimport jax\n')
