"""A checkpoint that another process writes is the one that this one would write."""

import jax
import numpy as np
import pytest
from orbax.checkpoint import v1 as ocp

from mspd_jax.models._apart import save_apart

pytestmark = pytest.mark.slow  # it imports everything anew


def test_it_holds_the_arrays_and_the_metadata(tmp_path):
    tree = {
        "a": {"b": np.arange(6, dtype=np.float32).reshape(2, 3)},
        "c": np.asarray(4),
    }
    save_apart(tmp_path / "new", tree, {"spec": {"x": [1, None]}})
    found = jax.tree.map(np.asarray, ocp.load(tmp_path / "new"))
    jax.tree.map(np.testing.assert_array_equal, found, tree)
    assert ocp.metadata(tmp_path / "new").custom_metadata == {"spec": {"x": [1, None]}}
    with pytest.raises(OSError, match="exists"):
        save_apart(tmp_path / "new", tree, {})
