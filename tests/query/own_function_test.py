"""A function of the user's own code whose module fails on import, in one line."""

import sys

import pytest

from mspd_jax.errors import InputError
from mspd_jax.query import own_function


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def (", "cannot be imported: SyntaxError: "),
        ("raise RuntimeError('no GPU\\nat all')", "imported: RuntimeError: no GPU$"),
        ("import own_not_there", "'own_not_there', which own_function_module needs"),
    ],
)
def test_what_a_module_raises(tmp_path, monkeypatch, text, said):
    (tmp_path / "own_function_module.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with pytest.raises(InputError, match=said) as caught:
        own_function("own_function_module:f")
    assert "\n" not in str(caught.value)
    sys.modules.pop("own_function_module", None)


def test_the_function():
    assert own_function("math:sqrt")(4) == 2
