"""Random streams: no two share a number, and no other file folds a run's key."""

import ast
import collections
import itertools
import pathlib

import jax
import numpy as np
from absl.testing import parameterized

from mspd_jax import streams

ROOT = pathlib.Path(__file__).resolve().parents[1]
HOME = "mspd_jax/streams.py"
FILES = {
    str(path.relative_to(ROOT)): path.read_text()
    for folder in ("mspd_jax", "launch")
    for path in (ROOT / folder).rglob("*.py")
}
JOBS = {"protect": 1, "revert": 2, "evaluate": 3, "certify": 4, "defense": 5}
MAKES_KEYS = ("key", "PRNGKey", "wrap_key_data")
DERIVES_KEYS = ("split", "fold_in", "clone")
# Keys that are not those of a run.
FIXED = {
    "mspd_jax/drive/_replicate.py": "a key as it is, put on other devices",
    "mspd_jax/models/_initialize.py": "shapes of a network, nothing is drawn",
    "mspd_jax/train/_occlusion.py": "shapes of a network, its weights are not used",
    "mspd_jax/patch/_neurons.py": "a table of fixed numbers to compare sets by",
}
# Of the upper floors, what folds the key of an example or of its job by an index.
PER_EXAMPLE = ("mspd_jax/jobs/_certify_attacks.py", "mspd_jax/jobs/_hold.py")
# Where the name of a stream is an argument.
BY_ARGUMENT = ("mspd_jax/jobs/_frame.py", "mspd_jax/jobs/_work.py")


def calls(source):
    """(last name, attribute of, node) of each call: `jax.random.key(0)` gives
    ("key", "random", node)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield (
                    function.attr,
                    getattr(
                        function.value, "attr", getattr(function.value, "id", None)
                    ),
                    node,
                )
            elif isinstance(function, ast.Name):
                yield function.id, None, node


def imports_random(source):
    """Lines that hide `jax.random` behind another name."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        and node.module in ("jax.random", "jax._src.random")
        or isinstance(node, ast.ImportFrom)
        and node.module == "jax"
        and any(alias.name == "random" for alias in node.names)
        or isinstance(node, ast.Import)
        and any(alias.name == "jax.random" for alias in node.names)
    ]


def uses(source):
    """The names of streams that a source asks for; None for one that is no literal."""
    for name, of, node in calls(source):
        if name == "stream" and of in (None, "streams"):
            wanted = node.args[1] if len(node.args) > 1 else None
            yield wanted.value if isinstance(wanted, ast.Constant) else None


def wrong(path, source):
    """What the rules forbid in this file, as lines of text."""
    found = [f"{path}: from jax import random" for _ in imports_random(source)]
    random = {(name, node.lineno) for name, of, node in calls(source) if of == "random"}
    has_run_key = any(
        name in ("stream", "run_key") and of in (None, "streams")
        for name, of, _ in calls(source)
    )
    upper = path.startswith(("launch/", "mspd_jax/jobs/")) and path not in PER_EXAMPLE
    for name, line in sorted(random):
        if name in MAKES_KEYS and path not in FIXED:
            found.append(f"{path}:{line}: a key made outside of streams")
        if name in DERIVES_KEYS and (has_run_key or upper):
            found.append(f"{path}:{line}: folds a key where there is that of a run")
    for name in uses(source):
        if name not in streams.STREAMS and path not in BY_ARGUMENT:
            found.append(f"{path}: no stream {name!r} in the table")
    return found


def words(key):
    return tuple(np.asarray(jax.random.key_data(key)).tolist())


class TableTest(parameterized.TestCase):
    def test_numbers_are_distinct_and_those_of_jobs_are_kept(self):
        numbers = list(streams.STREAMS.values())
        self.assertEqual(len(numbers), len(set(numbers)))
        self.assertEqual({n: streams.STREAMS[n] for n in JOBS}, JOBS)

    def test_numbers_of_others_are_no_index(self):
        others = [streams.STREAMS[n] for n in streams.STREAMS if n not in JOBS]
        self.assertGreater(min(others), 2**31)
        self.assertLess(max(others), 2**32)

    def test_keys_and_their_children_differ(self):
        """Runs of three seeds, all streams, and their children by small indices."""
        seen = collections.defaultdict(list)
        fold = jax.jit(jax.vmap(jax.random.fold_in, in_axes=(None, 0)))

        def note(key, what):
            seen[words(key)].append(what)
            for i, child in enumerate(fold(key, np.arange(64, dtype=np.uint32))):
                seen[words(child)].append(f"{what}/{i}")

        for seed, name in itertools.product(range(3), streams.STREAMS):
            note(streams.stream(seed, name), f"{seed} {name}")
            if name in JOBS:
                below = streams.stream(seed, name)
                for check in ("check_model", "check_attack"):
                    note(streams.stream(below, check), f"{seed} {name} {check}")
        shared = [names for names in seen.values() if len(names) > 1]
        self.assertEqual(shared, [])

    def test_a_split_of_the_run_key_is_in_no_stream(self):
        """What older versions drew from for training, and JAX's trap itself."""
        key = streams.run_key(5)
        parts = jax.random.split(key, 6)
        self.assertEqual(words(parts[1]), words(streams.stream(5, "protect")))
        training = {words(streams.stream(5, n)) for n in ("model", "order", "examples")}
        self.assertEmpty(training & {words(part) for part in parts})

    def test_seed_or_key(self):
        key = jax.random.key(3)
        for name in streams.STREAMS:
            expected = jax.random.fold_in(key, np.uint32(streams.STREAMS[name]))
            for given in (3, np.int64(3), key):
                self.assertEqual(words(streams.stream(given, name)), words(expected))


class UsesTest(parameterized.TestCase):
    def test_only_streams_folds_the_key_of_a_run(self):
        paths = sorted(set(FILES) - {HOME})
        lines = [line for path in paths for line in wrong(path, FILES[path])]
        self.assertEqual(lines, [])

    def test_every_stream_below_a_job_has_one_use(self):
        count = collections.Counter(
            name for path in FILES if path != HOME for name in uses(FILES[path])
        )
        others = {name: 1 for name in streams.STREAMS if name not in JOBS}
        self.assertEqual({n: count[n] for n in others}, others)

    def test_exceptions_are_still_needed(self):
        for path in FIXED:
            made = {name for name, of, _ in calls(FILES[path]) if of == "random"}
            self.assertNotEmpty(made & set(MAKES_KEYS), path)

    @parameterized.parameters(
        ("mspd_jax/train/_a.py", "import jax\nk = jax.random.key(seed)"),
        ("mspd_jax/train/_a.py", "a = stream(key, 'model')\nb = jax.random.split(key)"),
        ("mspd_jax/train/_a.py", "a = stream(key, 'models')"),
        ("mspd_jax/train/_a.py", "a = streams.stream(key, name)"),
        ("mspd_jax/train/_a.py", "from jax import random"),
        ("launch/a.py", "import jax\nk = jax.random.fold_in(key, 3)"),
        ("mspd_jax/jobs/_a.py", "import jax\nk = jax.random.split(key)"),
    )
    def test_rules_can_fail(self, path, source):
        self.assertLen(wrong(path, source), 1)
