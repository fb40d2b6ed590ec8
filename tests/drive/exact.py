"""A program for `exact_test`: what real networks make of images, as a digest.

    python -m tests.drive.exact

protects images with the ResNet-20 that ships, and attacks a PreAct ResNet-18, on all
devices there are; says first whether other batches, or some images alone, give the
same, then the digests of the results.
"""

import functools
import hashlib

from launch import _platform

_platform.prepare()

import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax.tree_util import Partial  # noqa: E402

from mspd_jax import attacks, data, drive, models, preempt  # noqa: E402

SHAPE = (32, 32, 3)
COUNT = 14


def source():
    """Smooth random images, as photographs are, whose indices are not their places."""
    rng = np.random.default_rng(0)
    coarse = rng.random((COUNT, 8, 8, 3), np.float32)
    images = np.kron(coarse, np.ones((1, 4, 4, 1), np.float32))
    made = data.from_arrays(images, rng.integers(0, 10, COUNT))
    return made._replace(
        indices=3 * made.indices,
        read=lambda place: made.read(place)._replace(index=3 * place),
    )


def resnet20():
    """The model that ships, and MSPD with four draws; logits and gradient beside it."""
    predict = models.predictor(models.load_model("cifar10_resnet20_robust"))
    options = {"eps": 8 / 255, "num_samples": 4, "antithetic": True, "chunk": 2}
    return predict, Partial(functools.partial(_protected, **options))


def preact18():
    """Random weights, with Winograd's convolutions, and two steps of PGD."""
    spec = models.ModelSpec(
        "preact_resnet18", {}, (0.5,) * 3, (0.25,) * 3, 10, SHAPE, {}
    )
    predict = models.predictor(models.create_model(jax.random.key(0), spec))
    return predict, attacks.resolve_attack("pgd", eps=8 / 255, norm="linf", steps=2)


def _protected(key, predict, image, label, **options):
    made = preempt.protect(key, predict, image, label, **options)
    slope = jax.grad(lambda x: attacks.cross_entropy(predict(x), label))(image)
    return made.image, predict(image), slope


def digest(predict, method, **options) -> dict[int, str]:
    """A digest of each image's results, by its index."""
    batches = drive.drive(jax.random.key(0), predict, method, source(), **options)
    return {
        o.record.index: hashlib.sha256(
            b"".join(np.asarray(x).tobytes() for x in jax.tree.leaves(o.result))
        ).hexdigest()[:16]
        for batch in batches
        for o in batch
    }


def main() -> None:
    for make in (resnet20, preact18):
        run = functools.partial(digest, *make(), block=4)
        whole = run()
        assert len(set(whole.values())) == COUNT
        for options in ({"batch_size": 7}, {"skip": set(list(whole)[1::3])}):
            for index, found in run(**options).items():
                assert found == whole[index], (make.__name__, options, index)
        parts = [run(process_index=i, process_count=2) for i in range(2)]
        assert parts[0] | parts[1] == whole
        print(make.__name__, *(whole[index] for index in sorted(whole)))


if __name__ == "__main__":
    main()
