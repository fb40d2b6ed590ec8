"""Programs by hand: values in their places, missing operations by name."""

import jax.numpy as jnp
import numpy as np
import pytest

from mspd_jax.errors import InputError
from mspd_jax.models.foreign._program import Program, Step, Value, check_operations, run

OPERATIONS = {
    "halves": lambda x: (x[:1], x[1:]),
    "join": lambda parts, *, scale: jnp.concatenate(parts) * scale,
    "add": lambda a, b: a + b,
}
STEPS = (
    Step("halves", (Value("x"),), {}, ("first", "second")),
    Step("join", ((Value("second"), Value("first")),), {"scale": Value("w")}, ("y",)),
    Step("add", (Value("y"), Value("ones")), {}, ("z",)),
)
# Two types and two ranks, which only other libraries add without a word.
PROGRAM = Program("x", {"ones": np.ones((1, 2), np.int32)}, STEPS, "z")


def test_run_by_hand():
    found = run(PROGRAM, OPERATIONS, {"w": jnp.float32(3)}, jnp.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [[7.0, 4.0]])


def test_all_missing_operations_are_named():
    with pytest.raises(InputError, match="it uses .* no counterpart here: add, join$"):
        check_operations(PROGRAM, {"halves": None}, "it")
