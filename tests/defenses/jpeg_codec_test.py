"""JPEG by a real codec: what a file would hold, under every transformation."""

import functools
import io
import os
import pathlib
import subprocess
import sys
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized
from jax.tree_util import Partial
from PIL import Image

from mspd_jax.attacks import straight_through
from mspd_jax.defenses import _jpeg_codec, jpeg, jpeg_soft
from mspd_jax.models import behind
from tests.defenses.contract import check_contract, pictures

ON_DEVICES = """
import functools, jax, numpy as np
from mspd_jax.defenses import jpeg
assert jax.local_device_count() == 2
save = jax.vmap(functools.partial(jpeg, quality=80))
images = np.random.default_rng(0).uniform(size=(2, 80, 32, 32, 3)).astype(np.float32)
want = np.stack([jax.jit(save)(batch) for batch in images])
shared = jax.pmap(save)
for _ in range(5):
    np.testing.assert_array_equal(shared(images), want)
print("same")
"""


def saved(image, quality):
    """By Pillow and its defaults, from 8 bits: levels as whole numbers."""
    levels = np.rint(255 * np.clip(np.float64(image), 0, 1)).astype(np.uint8)
    file = io.BytesIO()
    squeezed = levels[..., 0] if levels.shape[-1] == 1 else levels
    Image.fromarray(squeezed).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).reshape(image.shape)


class JpegTest(parameterized.TestCase):
    @parameterized.product(
        shape=((32, 32, 3), (17, 23, 3), (9, 14, 1), (1, 1, 3)), quality=(1, 75, 100)
    )
    def test_is_what_the_file_holds(self, shape, quality):
        rng = np.random.default_rng(0)
        for image in (*pictures(shape), rng.uniform(-0.2, 1.2, shape)):
            want = saved(np.float32(image), quality) / np.float32(255)
            got = jpeg(jnp.asarray(image, jnp.float32), quality=quality)
            np.testing.assert_array_equal(got, want)

    def test_large_images_go_to_the_host_in_pieces(self):
        image = np.random.default_rng(0).uniform(0, 1, (300, 250, 3)).astype(np.float32)
        got = jax.jit(functools.partial(jpeg, quality=60))(image)
        np.testing.assert_array_equal(got, saved(image, 60) / np.float32(255))

    def test_one_call_for_all_that_is_mapped_over(self):
        images = pictures((12, 10, 3), count=6)
        want = np.stack([jpeg(image, quality=41) for image in images])
        calls, recode = [], _jpeg_codec._recode
        with mock.patch.object(
            _jpeg_codec,
            "_recode",
            lambda *args, **options: calls.append(1) or recode(*args, **options),
        ):
            save = jax.vmap(jax.vmap(functools.partial(jpeg, quality=41)))
            got = jax.jit(save)(images.reshape(2, 3, 12, 10, 3))
        np.testing.assert_array_equal(got.reshape(images.shape), want)
        self.assertLen(calls, 1)

    def test_two_devices_do_not_wait_for_each_other(self):
        # More than 100 KiB for each: threads that copy would be those that wait.
        result = subprocess.run(
            [sys.executable, "-c", ON_DEVICES],
            cwd=pathlib.Path(__file__).resolve().parents[2],
            env=os.environ
            | {
                "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
                "JAX_PLATFORMS": "cpu",
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertIn("same", result.stdout, result.stderr[-2000:])

    def test_has_no_gradient_but_the_one_put_in_its_place(self):
        image, weight = pictures((9, 14, 1), count=3)[1:]
        save = Partial(functools.partial(jpeg, quality=50))
        soft = Partial(functools.partial(jpeg_soft, quality=50))

        @jax.jit
        def slope(transform):
            predict = behind(transform, lambda x: jnp.sum(weight * x)[None])
            return jax.jacrev(predict)(image)[0]

        self.assertEqual(np.abs(slope(save)).max(), 0.0)
        put = straight_through(save, backward=soft)
        np.testing.assert_array_equal(put(image), save(image))
        np.testing.assert_allclose(slope(put), slope(soft), rtol=1e-4, atol=1e-6)

    def test_equal_options_do_not_compile_again(self):
        compiled = []

        def listen(event, seconds, **_):
            compiled.append((event, seconds))

        jpeg(jnp.ones((5, 5, 1)), quality=44)
        jax.monitoring.register_event_duration_secs_listener(listen)
        try:
            jpeg(jnp.ones((5, 5, 1)), quality=44)
            self.assertEqual(compiled, [])
            jpeg(jnp.ones((5, 5, 1)), quality=45)
            self.assertNotEmpty(compiled)
        finally:
            jax.monitoring.unregister_event_duration_listener(listen)

    def test_contract(self):
        save = functools.partial(jpeg, quality=75)
        check_contract(self, save, pictures((17, 23, 3)), rounding=0.0)

    @parameterized.parameters(0, 101, -5, 75.0, True, "75")
    def test_bad_quality(self, quality):
        message = f"quality must be an integer of 1 to 100; got {quality!r}"
        with self.assertRaisesRegex(ValueError, message):
            jpeg(jnp.ones((8, 8, 3)), quality=quality)

    def test_bad_image(self):
        with self.assertRaisesRegex(ValueError, "image must be .* got .*8, 8, 2"):
            jpeg(jnp.ones((8, 8, 2)), quality=75)
