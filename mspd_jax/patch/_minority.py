"""Minority Reports: a gray window slides over the pixels (McCoyd et al. 2020).

arXiv 2004.13799, with windows that cover the corners, which its own grid does not.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from mspd_jax.models import PIXEL, as_pytree
from mspd_jax.patch._detector import Masked
from mspd_jax.patch._windows import Windows, gray_window, hidden_by, hides


def minority_reports(predict: Callable, windows: Windows) -> Partial:
    """The detector: image -> `Masked`, for `detect`.

    f_0(x) = predict(x) and f_w(x) = predict(x with the window w gray): a window can
    always change the answer, so all of them are asked. Nothing of w is read by f_w,
    whatever the classifier is.
    """
    hidden = hidden_by(windows, (PIXEL, PIXEL), windows.image_size)
    return Partial(_look, as_pytree(predict), hidden)


def _look(predict, hidden, image):
    windows = jnp.arange(hidden.rows.shape[0] * hidden.cols.shape[0])
    return Masked(predict(image), Partial(_hide, predict, hidden, image), windows)


def _hide(predict, hidden, image, numbers):
    return jax.vmap(lambda n: predict(gray_window(image, hides(hidden, n))))(numbers)
