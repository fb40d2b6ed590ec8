"""Planted faults, each of which the enumeration of `soundness_test` finds.

The seeds are the first ones whose images show it: of random networks, one in three to a
hundred and fifty does.
"""

import jax
import jax.numpy as jnp
import pytest
from jax.tree_util import Partial

from mspd_jax import patch
from mspd_jax.patch._neurons import prune
from tests.patch import soundness_test as small


def check_fault(ask, seeds, **options):
    tally = small.tried(ask, seeds, **options)
    assert tally.contradictions > 0, vars(tally)


@pytest.mark.parametrize("seed", [0, 15])
def test_windows_that_miss_the_border_are_caught(seed):
    windows = small.WINDOWS._replace(
        rows=small.WINDOWS.rows[:-1], cols=small.WINDOWS.cols[:-1]
    )
    check_fault(small.by(small.minority, windows=windows), [seed])


@pytest.mark.parametrize("seed", [16, 20])
def test_windows_side_by_side_are_caught(seed):
    """As large as the patch, which can stand across two of them."""
    windows = patch.Windows((0, 2), (0, 2), 2, 2, 2, small.SHAPE[:2])
    check_fault(small.by(small.scalecert, windows=windows, keep=0.1), [seed])


@pytest.mark.parametrize(
    "cut, keep, seed",
    [
        ("layer0", 0.1, 1),
        pytest.param("layer1", 0.25, 8, marks=pytest.mark.slow),
    ],
)
def test_a_field_one_pixel_too_small_is_caught(cut, keep, seed):
    def narrow(seed):
        parts = small.parts_of(seed, cut)
        reaches = [r._replace(low=r.low + 1, high=r.high - 1) for r in parts.reaches]
        return patch.scalecert(
            parts._replace(reaches=reaches), small.WINDOWS, keep=keep
        )

    check_fault(small.by(narrow), [seed])


def test_a_selection_before_the_window_is_hidden_is_caught():
    """A bright patch pushes others out, and the window then shows what it likes."""
    check_fault(small.by(selected_before), [151])


def selected_before(seed):
    parts = small.parts_of(seed)
    hidden = patch.hidden_by(small.WINDOWS, parts.reaches, parts.map_shape)
    return Partial(_selected_before, parts.shallow, parts.rest, hidden)


def _selected_before(shallow, rest, hidden, image):
    keep = jnp.asarray(12)
    ranked = patch.rank_neurons(shallow(image), listed=12)

    def hide(numbers):
        def one(number):
            return rest(patch.prune_outside(ranked, hidden, keep, number))

        return jax.vmap(one)(numbers)

    whole = rest(prune(ranked, keep, None))
    return patch.Masked(whole, Partial(hide), jnp.arange(9))


@pytest.mark.slow
def test_a_certificate_without_the_confidence_of_alerts_is_caught():
    def mixed(seed, images):
        detector = small.scalecert(seed, keep=0.05)
        label, alert, _ = small.detected(detector, images, 0.6)
        return label, alert, small.detected(detector, images, 0.0)[2]

    check_fault(mixed, range(6))


def test_a_recovery_that_asks_single_windows_alone_is_caught():
    windows = patch.cover(small.SHAPE, patch=1, per_axis=2)

    def single(seed, images):
        label, alert, _, agree = small.cleansed(windows)(seed, images)
        return label, alert, agree

    check_fault(single, range(8), side=1, levels=(0.0, 0.5, 1.0))
