"""Convolutions by oneDNN equal those of `lax`, and run only where they may."""

import contextlib
import functools

import jax
import numpy as np
import pytest
from jax import lax
from jax import numpy as jnp

from mspd_jax.convolution import _onednn as onednn
from mspd_jax.convolution import convolution, direct_convolutions, library_convolutions
from tests.convolution.convolution_test import DIRECT
from tests.convolution.derivatives import (
    LAYOUT,
    arrays_of,
    assert_same,
    first_order,
    second_order,
)

ASKED = "__onednn$"
needs_onednn = pytest.mark.skipif(
    not onednn.available(), reason="how this jaxlib calls oneDNN is not known"
)


def numbers(padding):
    return not isinstance(padding, str) and min(map(min, padding)) >= 0


CASES = {name: case for name, case in DIRECT.items() if numbers(case[3])}


@pytest.fixture
def however_small(monkeypatch):
    monkeypatch.setattr(onednn, "_MIN_PRODUCTS", 0)
    jax.clear_caches()  # what was compiled before chose otherwise
    yield
    jax.clear_caches()


def lax_convolution(strides, padding):
    return functools.partial(
        lax.conv_general_dilated,
        window_strides=strides,
        padding=padding,
        dimension_numbers=LAYOUT,
    )


@needs_onednn
@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_lax(name):
    size, kernel, strides, padding = CASES[name]
    lhs, rhs, *_ = arrays_of(size, kernel, strides, padding)
    ours = jax.jit(lambda a, b: onednn.convolve(a, b, strides, padding))(lhs, rhs)
    theirs = lax_convolution(strides, padding)(lhs, rhs)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)


@needs_onednn
@pytest.mark.parametrize("block", [1, 10**6])
@pytest.mark.parametrize("name", CASES)
def test_kernel_gradients_are_those_of_lax(name, block, monkeypatch):
    monkeypatch.setattr(onednn, "_BLOCK", block)
    size, kernel, strides, padding = CASES[name]
    lhs, rhs, cotangent, _ = arrays_of(size, kernel, strides, padding, images=6)
    ours = jax.jit(lambda a, b: onednn.kernel_gradient(a, b, kernel, strides, padding))(
        lhs, cotangent
    )
    conv = functools.partial(lax_convolution(strides, padding), lhs)
    theirs = jax.linear_transpose(conv, rhs)(cotangent)[0]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4)


@pytest.mark.usefixtures("however_small")
@pytest.mark.parametrize("order", [first_order, second_order])
@pytest.mark.parametrize("name", ["same", "lopsided", "cropped", "stride_odd"])
def test_derivatives_are_those_of_lax(name, order):
    size, kernel, strides, padding = DIRECT[name]
    with library_convolutions():
        assert_same(order, arrays_of(size, kernel, strides, padding), strides, padding)


def compiled_text(context, images=64):
    lhs, rhs = jnp.zeros((images, 16, 16, 16)), jnp.zeros((3, 3, 16, 16))

    def loss(lhs, rhs):
        pads = ((1, 1), (1, 1))
        return jnp.sum(convolution(lhs, rhs, (1, 1), pads, dimension_numbers=LAYOUT))

    with context():
        return jax.jit(jax.grad(loss, (0, 1))).lower(lhs, rhs).as_text()


@needs_onednn
def test_it_is_asked_for_what_is_large():
    text = compiled_text(library_convolutions)
    assert f"{ASKED}convolution" in text and f"{ASKED}matmul" in text
    assert ASKED not in compiled_text(library_convolutions, images=1)


def test_it_is_not_asked_without_the_context():
    @contextlib.contextmanager
    def proof():
        with library_convolutions(), direct_convolutions():
            yield

    assert ASKED not in compiled_text(contextlib.nullcontext)
    assert ASKED not in compiled_text(proof)


def test_it_is_not_asked_in_a_version_that_was_not_tried(monkeypatch):
    monkeypatch.setattr(onednn, "available", lambda: False)
    jax.clear_caches()
    assert ASKED not in compiled_text(library_convolutions)
    jax.clear_caches()


@pytest.mark.parametrize("version", ["0.10.1", "0.13.0"])
def test_versions_and_machines_decide(version, monkeypatch):
    monkeypatch.setattr(onednn.importlib.metadata, "version", lambda _: version)
    assert not onednn.available.__wrapped__()
    monkeypatch.undo()
    monkeypatch.setattr(onednn.platform, "machine", lambda: "arm64")
    assert not onednn.available.__wrapped__()
