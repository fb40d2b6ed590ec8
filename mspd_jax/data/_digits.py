"""`digits:train|test`: the optical digits that ship with the package.

1,797 gray 8x8 images of ten classes from "Optical Recognition of Handwritten Digits"
(E. Alpaydin, C. Kaynak, 1998; UCI Machine Learning Repository, doi:10.24432/C50P49,
license CC BY 4.0), in the order in which scikit-learn ships them. The 17 gray levels v
of the data are stored as the 8-bit levels round(v * 255 / 16). The file was made by

    python -c "import numpy as np; from sklearn.datasets import load_digits; \
    d = load_digits(); np.savez_compressed('mspd_jax/data/digits.npz', \
    x=np.round(d.images * 255 / 16).astype(np.uint8)[..., None], \
    y=d.target.astype(np.uint8))"

The split is ours: every fourth image (index 0, 4, 8, ...) is test, 450 in all with 38
to 50 of each class, the other 1,347 are train. An index counts the original 1,797.
"""

import pathlib

import numpy as np

from mspd_jax.data._record import Source, array_source
from mspd_jax.errors import InputError

DIGITS_FILE = pathlib.Path(__file__).with_name("digits.npz")


def open_digits(spec: str, rest: str, *, limit: int | None) -> Source:
    """Source of one split of the embedded digits; `rest` is `train` or `test`."""
    if rest not in ("train", "test"):
        raise InputError(f"source {spec!r}: digits has the splits train and test")
    with np.load(DIGITS_FILE, allow_pickle=False) as stored:
        images, labels = stored["x"], stored["y"].astype(np.int32)
    held_out = np.arange(len(images)) % 4 == 0
    indices = np.flatnonzero(held_out if rest == "test" else ~held_out)[:limit]
    names = tuple(str(digit) for digit in range(10))
    return array_source(
        spec,
        images[indices],
        labels[indices],
        indices,
        num_classes=10,
        class_names=names,
    )
