"""JPEG with a gradient: against Pillow, SciPy's transform and finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from scipy import fft

from mspd_jax.defenses import jpeg_soft
from tests.defenses.contract import by_pillow, check_contract, pictures

IMAGES = pictures((17, 23, 3), count=6)
STATIC = ("quality", "rounding", "subsample")
soft = jax.jit(jpeg_soft, static_argnames=STATIC)


def by_hand(image, quality, replaced):
    """All of it in float64, block by block, `replaced` for the rounding; RGB, 4:2:0."""
    _, tables = by_pillow(np.zeros((8, 8, 3)), quality)

    def coded(plane, table):
        height, width = plane.shape
        plane = np.pad(plane, ((0, -height % 8), (0, -width % 8)), mode="edge")
        for top in range(0, plane.shape[0], 8):
            for left in range(0, plane.shape[1], 8):
                block = plane[top : top + 8, left : left + 8]
                scaled = fft.dctn(block - 128, norm="ortho") / table
                block[:] = fft.idctn(replaced(scaled) * table, norm="ortho") + 128
        return np.clip(plane[:height, :width], 0, 255)

    def halved(plane):
        plane = np.pad(plane, ((0, len(plane) % 2), (0, 0)), mode="edge")
        plane = np.pad(plane, ((0, 0), (0, -plane.shape[1] % 16)), mode="edge")
        return sum(plane[i::2, j::2] for i in (0, 1) for j in (0, 1)) / 4

    def doubled(lines):
        around = np.pad(lines, ((1, 1), (0, 0)), mode="edge")
        pairs = [0.75 * lines + 0.25 * around[i : i + len(lines)] for i in (0, 2)]
        return np.stack(pairs, axis=1).reshape(-1, lines.shape[1])

    height, width, _ = image.shape
    red, green, blue = np.moveaxis(255 * np.float64(image), -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    result = [coded(luma, tables[0])]
    for color, scale in ((blue, 1.772), (red, 1.402)):
        plane = coded(halved((color - luma) / scale + 128), tables[1])
        plane = plane[: (height + 1) // 2, : (width + 1) // 2]
        result.append(doubled(doubled(plane).T).T[:height, :width] - 128)
    luma, blue, red = result
    blue, red = luma + 1.772 * blue, luma + 1.402 * red
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return np.clip(np.stack([red, green, blue], axis=-1) / 255, 0, 1)


def cubic(x):
    return np.rint(x) + (x - np.rint(x)) ** 3


class ValuesTest(parameterized.TestCase):
    @parameterized.parameters(
        ((32, 32, 3), 90),
        ((32, 32, 3), 10),
        ((17, 23, 3), 75),
        ((9, 4, 3), 50),
        ((11, 18, 1), 30),
        ((11, 18, 1), 95),
    )
    def test_hard_is_the_codec_but_for_single_coefficients(self, shape, quality):
        images = pictures(shape, count=9)
        want = np.stack([by_pillow(image, quality)[0] for image in images])
        got = [soft(image, quality=quality, rounding="hard") for image in images]
        gaps = np.abs(255 * np.stack(got) - want)
        self.assertLess(gaps.mean(), 0.5)
        self.assertLess(np.mean(gaps > 3.01), 0.03)

    def test_identity_has_the_values_of_hard(self):
        hard = soft(IMAGES[1], quality=75, rounding="hard")
        same = soft(IMAGES[1], quality=75, rounding="identity")
        np.testing.assert_allclose(same, hard, atol=1e-6)

    def test_full_chroma(self):
        want, _ = by_pillow(IMAGES[2], 75, subsampling="4:4:4")
        got = soft(IMAGES[2], quality=75, rounding="hard", subsample=False)
        self.assertLess(np.abs(255 * got - want).mean(), 0.5)
        halved = soft(IMAGES[2], quality=75, rounding="hard")
        self.assertGreater(np.abs(255 * halved - want).mean(), 5.0)

    @parameterized.parameters(20, 75)
    def test_cubic_is_that_of_the_paper(self, quality):
        for image in IMAGES[:3]:
            want = by_hand(image, quality, cubic)
            np.testing.assert_allclose(soft(image, quality=quality), want, atol=2e-5)


@functools.partial(jax.jit, static_argnames="rounding")
def pulled(image, cotangent, *, rounding):
    run = functools.partial(jpeg_soft, quality=60, rounding=rounding)
    return jax.vjp(run, image)[1](cotangent)[0]


class GradientTest(parameterized.TestCase):
    @parameterized.parameters(("cubic", cubic), ("identity", lambda x: x))
    def test_is_that_of_finite_differences(self, rounding, replaced):
        # Away from the ends of the box, where values are clipped.
        image = 0.3 + 0.4 * IMAGES[1]
        moves = np.random.default_rng(0).normal(size=(5, *image.shape))
        gradient = pulled(image, np.float32(moves[0]), rounding=rounding)
        for move in moves[1:]:
            ahead = by_hand(image + 1e-6 * move, 60, replaced)
            rise = ahead - by_hand(image - 1e-6 * move, 60, replaced)
            want = np.sum(moves[0] * rise) / 2e-6
            np.testing.assert_allclose(
                np.sum(gradient * move), want, rtol=2e-3, atol=1e-2
            )

    def test_hard_has_none(self):
        gradient = pulled(IMAGES[1], np.ones_like(IMAGES[1]), rounding="hard")
        self.assertEqual(np.abs(gradient).max(), 0.0)

    def test_black_and_white_have_theirs_in_full(self):
        luma = np.broadcast_to(np.float32([0.299, 0.587, 0.114]), IMAGES[0].shape)
        for value in (0.0, 1.0):
            gradient = pulled(np.full_like(luma, value), luma, rounding="identity")
            np.testing.assert_allclose(gradient, luma, atol=1e-4)


class ContractTest(parameterized.TestCase):
    def test_contract(self):
        run = functools.partial(jpeg_soft, quality=75)
        compiled = functools.partial(soft, quality=75)
        check_contract(self, run, IMAGES[:3], alone=compiled)
        check_contract(self, run, IMAGES[:1, :8, :8, :1])  # few steps

    @parameterized.parameters(
        ({"quality": 0}, "quality must be an integer of 1 to 100; got 0"),
        ({"quality": 101}, "quality must be an integer of 1 to 100; got 101"),
        ({"quality": 75.0}, "quality must be an integer of 1 to 100; got 75.0"),
        ({"rounding": "soft"}, "rounding must be one of .*; got 'soft'"),
    )
    def test_bad_options(self, options, message):
        with self.assertRaisesRegex(ValueError, message):
            jpeg_soft(IMAGES[0], **{"quality": 75} | options)

    def test_bad_image(self):
        with self.assertRaisesRegex(ValueError, r"\[H, W, 1\] or \[H, W, 3\]; got"):
            jpeg_soft(jnp.ones((8, 8, 4)), quality=75)
