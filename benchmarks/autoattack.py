"""AutoAttack from its first attack to its last, against the code that people run.

    python -m benchmarks.autoattack --data_dir=../shared/data

evaluates the robust ResNet-20 that ships, standard AutoAttack at l_inf 8/255 on
lossless CIFAR-10 test images, with `jobs.Evaluate` and with the attacks of torchattacks
(the authors' code as a package: pip install torchattacks), one after the other: seconds
with the time to compile and, on our side, without it, and the accuracy that is left;
then MALT alone (`autoattack-fast`). The AutoAttack of torchattacks itself takes ten
steps where the authors take 100: its parts are run with 100. PyTorch is eager, as
images that fall leave the batch and each size would be compiled anew, and in its
default layout, as FAB refuses channels last there. Ten minutes for 64 images on two
cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import pathlib  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402

from benchmarks import _measure  # noqa: E402
from mspd_jax import data, jobs, models  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_integer("images", 64, "images to attack", lower_bound=1)
flags.DEFINE_string("data_dir", None, "folder of the TFDS data sets", required=True)
flags.DEFINE_string("target", "cifar10_resnet20_robust", "a checkpoint or a name")
flags.DEFINE_integer("seed", 0, "seed of both")
flags.DEFINE_bool("torch", True, "run torchattacks, too")

_EPS = 8 / 255
_SOURCE = "tfds:cifar10_subset:test"


def main(_):
    logging.set_verbosity(logging.WARNING)
    print(_measure.surroundings("jax", "jaxlib", "torch", "torchattacks") + "\n")
    print(f"{FLAGS.images} images, seed {FLAGS.seed}.\n")
    print("| | seconds | with compiling | robust accuracy |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        jax.config.update("jax_compilation_cache_dir", f"{folder}/compiled")
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        for attack in ("autoattack", "autoattack-fast"):
            runs = [
                _ours(attack, pathlib.Path(folder, attack, str(i))) for i in range(2)
            ]
            (first, accuracy), (again, same) = runs
            assert accuracy == same, "two runs differ"
            row = f"{again:.0f} | {first:.0f} | {accuracy:.2%}"
            print(f"| ours, {attack} | {row} |", flush=True)
    if FLAGS.torch:
        seconds, accuracy = _theirs()
        print(f"| torchattacks | {seconds:.0f} | | {accuracy:.2%} |")


def _ours(attack, out):
    """Seconds and accuracy of a run of the job."""
    job = jobs.Evaluate(
        source=_SOURCE,
        data_dir=FLAGS.data_dir,
        limit=FLAGS.images,
        target=FLAGS.target,
        attack=attack,
        eps=_EPS,
        seed=FLAGS.seed,
        check_images=0,
    )
    start = time.perf_counter()
    result = job.run(out)
    return time.perf_counter() - start, result.summary.robust_accuracy


def _theirs():
    """Seconds and accuracy of a run of torchattacks."""
    import torch
    import torchattacks

    from benchmarks import _pytorch, _reference_attacks

    source = data.open_source(_SOURCE, data_dir=FLAGS.data_dir)
    records = [source.read(place) for place in range(FLAGS.images)]
    images = np.stack([record.image for record in records])
    labels = np.asarray([record.label for record in records], np.int64)
    model = models.load_model(FLAGS.target)
    way = _pytorch.Way(channels_last=False, compiled=False, images=FLAGS.images)
    network = way.network(_reference_attacks.TorchResNet(model).eval())
    ((x, y),) = way.batches(images, labels)
    shared = {"eps": _EPS, "seed": FLAGS.seed}
    counted = {"steps": 100, **shared}  # ten steps by default, which is no AutoAttack
    attack = torchattacks.MultiAttack(
        [
            torchattacks.APGD(network, loss="ce", **counted),
            torchattacks.APGDT(network, n_classes=10, **counted),
            torchattacks.FAB(network, multi_targeted=True, n_classes=10, **counted),
            torchattacks.Square(network, n_queries=5000, **shared),
        ]
    )
    start = time.perf_counter()
    attacked = attack(x, y)
    seconds = time.perf_counter() - start
    with torch.no_grad():
        right = network(attacked).argmax(1) == y
    return seconds, right.double().mean().item()


if __name__ == "__main__":
    app.run(main)
