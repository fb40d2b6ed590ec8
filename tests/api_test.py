"""Rules that hold over the whole library: names, signatures, imports, silence."""

import ast
import importlib
import inspect
import pathlib
import subprocess
import sys

from absl.testing import parameterized

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "mspd_jax"
ROOMS = sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))
FILES = sorted(
    path for folder in ("mspd_jax", "launch") for path in (ROOT / folder).rglob("*.py")
)
NAMES = [str(path.relative_to(ROOT)) for path in FILES]

# Imports run downward only, and rooms of one level do not know each other.
LEVEL = {
    "errors": 0,
    "streams": 0,
    "paths": 1,
    "resizing": 1,
    "convolution": 1,
    "runs": 2,
    "models": 3,
    "data": 3,
    "pictures": 4,
    "attacks": 4,
    "query": 4,
    "preempt": 5,
    "defenses": 5,
    "smoothing": 5,
    "patch": 5,
    "drive": 6,
    "evaluate": 7,
    "train": 8,
    "report": 8,
    "jobs": 9,
    "launch": 10,
}
# Order of the arguments that every per-example method shares.
SHARED = ("key", "predict", "image", "label")
# Where the user must choose: no default. None, "not at all", is one where no model is.
THREAT = ("eps", "sigma", "alpha")


def room_of(name):
    """`mspd_jax.attacks._pgd` -> attacks; `launch._flags` -> launch; else None."""
    parts = name.split(".")
    if parts[0] == "mspd_jax":
        return parts[1] if len(parts) > 1 else "errors"
    return "launch" if parts[0] == "launch" else None


def imports_of(source, module):
    """Absolute names of the modules that a source imports, wherever it does so."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            found.add(base)
            # `from mspd_jax.attacks import _ball` names a module, too.
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def wrong_imports(source, module):
    """What the rules on imports forbid in this module, as lines of text."""
    wrong, here = set(), room_of(module)
    for name in imports_of(source, module):
        there = room_of(name)
        if there == here or there not in LEVEL:
            continue  # the room itself, another library, or a name of mspd_jax
        if LEVEL[there] >= LEVEL[here]:
            wrong.add(f"{module} ({here}) imports from {there}")
        private = [part for part in name.split(".")[2:] if part.startswith("_")]
        if private:
            wrong.add(f"{module} imports the private {there}.{private[0]}")
    return sorted(wrong)


def wrong_signature(function):
    """What rules 2 and 6 forbid in this function, as lines of text."""
    wrong, parameters = [], inspect.signature(function).parameters
    where = f"{function.__module__}.{function.__qualname__}"
    positional = [
        name
        for name, p in parameters.items()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    per_example = not parameters.keys().isdisjoint(SHARED)
    if "key" in parameters and positional[:1] != ["key"]:
        wrong.append(f"{where}: key is not the first argument")
    names = {"rng", "prng_key"} | ({"seed"} if per_example else set())
    if names & set(parameters):
        wrong.append(f"{where}: randomness is an argument named key")
    shared = [name for name in positional if name in SHARED]
    if shared != sorted(shared, key=SHARED.index):
        wrong.append(f"{where}: order is {', '.join(SHARED)}; got {shared}")
    for name, p in parameters.items():
        has_default = p.default is not p.empty
        if per_example and has_default and p.kind is not p.KEYWORD_ONLY:
            wrong.append(f"{where}: {name} has a default and is not keyword-only")
        absent = p.default is None and "predict" not in parameters
        if name in THREAT and has_default and not absent:
            wrong.append(f"{where}: {name} has a default")
        if name in THREAT and p.kind is not p.KEYWORD_ONLY:
            wrong.append(f"{where}: {name} is not keyword-only")
    return wrong


def is_function(value):
    """Also inside `jit` and other wrappers."""
    return inspect.isfunction(inspect.unwrap(value))


def exported(room):
    """What a room gives: to users, and (`X as X`) to other rooms."""
    tree = ast.parse((LIBRARY / room / "__init__.py").read_text())
    return sorted(
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


class PublicNamesTest(parameterized.TestCase):
    @parameterized.parameters(*ROOMS)
    def test_all_is_true_and_complete(self, room):
        module = importlib.import_module(f"mspd_jax.{room}")
        names = module.__all__
        self.assertEqual(len(names), len(set(names)))
        for name in names:
            self.assertTrue(hasattr(module, name), f"{room}.{name} does not exist")
            self.assertFalse(name.startswith("_"), f"{room}.{name} is private")
        # What a room re-exports it declares; `X as X` is for other rooms alone.
        tree = ast.parse((LIBRARY / room / "__init__.py").read_text())
        imported = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
            if alias.asname != alias.name
        }
        self.assertEqual(imported - set(names), set())

    @parameterized.parameters(*ROOMS)
    def test_signatures(self, room):
        module = importlib.import_module(f"mspd_jax.{room}")
        public = (getattr(module, name) for name in exported(room))
        functions = [f for f in public if is_function(f)]
        self.assertEqual([line for f in functions for line in wrong_signature(f)], [])

    @parameterized.parameters(*ROOMS)
    def test_public_functions_and_classes_have_docstrings(self, room):
        module = importlib.import_module(f"mspd_jax.{room}")
        for name in exported(room):
            value = getattr(module, name)
            if is_function(value) or inspect.isclass(value):
                # NamedTuple writes "Name(field, ...)" where there is none.
                text = value.__doc__ or ""
                self.assertFalse(text.startswith(f"{name}(") or not text, name)


class FilesTest(parameterized.TestCase):
    @parameterized.named_parameters(*zip(NAMES, FILES, strict=True))
    def test_length_docstring_and_silence(self, path):
        text = path.read_text()
        self.assertLessEqual(len(text.splitlines()), 300)
        tree = ast.parse(text)
        self.assertTrue(ast.get_docstring(tree), "no docstring")
        if LIBRARY in path.parents:
            printing = [
                node.lineno
                for node in ast.walk(tree)
                if isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "print"
            ]
            self.assertEqual(printing, [], "the library never prints")

    @parameterized.named_parameters(*zip(NAMES, FILES, strict=True))
    def test_imports_run_downward(self, path):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        self.assertEqual(wrong_imports(path.read_text(), module), [])

    def test_every_room_has_its_level(self):
        self.assertEqual(set(ROOMS) - set(LEVEL), set())

    def test_mains_are_thin(self):
        mains = {path.stem: path for path in (ROOT / "launch").glob("[!_]*.py")}
        mains.pop("mspd")  # which runs the others
        self.assertNotEmpty(mains)
        for name, path in mains.items():
            self.assertLessEqual(len(path.read_text().splitlines()), 40, name)


class RulesCanFailTest(parameterized.TestCase):
    """Each rule, broken on purpose."""

    @parameterized.parameters(
        ("mspd_jax.models._a", "from mspd_jax.attacks import pgd"),
        ("mspd_jax.attacks._a", "from mspd_jax.preempt import mcgs"),
        ("mspd_jax.attacks._a", "import mspd_jax.evaluate"),
        ("mspd_jax.evaluate._a", "from mspd_jax.attacks._pgd import pgd"),
        ("mspd_jax.evaluate._a", "from mspd_jax.attacks import _ball"),
        ("mspd_jax.evaluate._a", "from mspd_jax import train"),
        ("mspd_jax.data._a", "def f():\n    from ..models import Model"),
        ("mspd_jax.drive._a", "from launch import _main"),
    )
    def test_forbidden_import(self, module, source):
        self.assertLen(wrong_imports(source, module), 1)

    @parameterized.parameters(
        ("mspd_jax.preempt._a", "from mspd_jax.attacks import project"),
        ("mspd_jax.attacks._a", "from mspd_jax.attacks import _ball"),
        ("mspd_jax.data._a", "from mspd_jax.errors import InputError"),
        ("launch.a", "from launch import _main\nfrom mspd_jax.drive import drive"),
        ("launch.a", "import mspd_jax\nfrom mspd_jax import __version__"),
    )
    def test_allowed_import(self, module, source):
        self.assertEqual(wrong_imports(source, module), [])

    @parameterized.parameters(
        (lambda key, predict, image, label, *, eps, steps=3: 0,),
        (lambda name, *, sigma=None: 0,),
        (lambda seed, axis_name=None: 0,),
    )
    def test_allowed_signature(self, function):
        self.assertEmpty(wrong_signature(function))

    @parameterized.parameters(
        (lambda image, key: 0,),
        (lambda rng, image: 0,),
        (lambda key, image, predict: 0,),
        (lambda image, steps=3: 0,),
        (lambda image, *, eps=0.1: 0,),
        (lambda name, *, sigma=0.5: 0,),
        (lambda predict, image, *, eps=None: 0,),
        (lambda image, *, seed: 0,),
        (lambda image, eps: 0,),
    )
    def test_forbidden_signature(self, function):
        self.assertNotEmpty(wrong_signature(function))


QUIET = """
import importlib, io, contextlib, sys
import jax
before = dict(jax.config.values)
said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
    for room in sys.argv[1:]:
        importlib.import_module(f"mspd_jax.{room}")
from jax._src import xla_bridge
assert not xla_bridge.backends_are_initialized(), "a backend was started"
changed = {k for k, v in jax.config.values.items() if k in before and v != before[k]}
assert not changed, f"jax.config was changed: {changed}"
assert not said.getvalue(), said.getvalue()
assert "tensorflow" not in sys.modules and "torch" not in sys.modules
"""


class ImportTest(parameterized.TestCase):
    def test_importing_does_nothing(self):
        result = subprocess.run(
            [sys.executable, "-c", QUIET, *ROOMS],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        self.assertEqual(result.returncode, 0, result.stderr[-2000:])
