"""Measures models on images, as they are and under attack, and checks the numbers.

    python -m launch.evaluate --source=folder:PROTECTED --target=CKPT \
        --attack=autoattack --eps=8/255 --out=OUT

The images may be the output of protect: they are read back from disk, and attacks
start from them. summary.json holds the worst case over the attacks first, and what each
reliability check measured; a defence has survived these attacks and no others.
AutoAttack on 256 CIFAR-10 images and a ResNet-20 takes minutes on two CPU cores.

With --defense the target stands behind one, and meets attackers who know of it:
claimed_accuracy is what attacks leave in the way that the defence was published,
robust_accuracy what all of them leave. --purify=none,jpeg:75,bits:5 compares purifiers.
"""

from launch import _flags, _main, _protected, _survey  # isort: skip (prepares JAX)
from launch import _defended  # isort: skip

from absl import flags

from mspd_jax import attacks, data, models
from mspd_jax.errors import InputError

FLAGS = flags.FLAGS
_flags.define(
    "source", "data_dir", "limit", "target", "surrogate", "eps", "seed",
    "block", "batch_size", "out", required=("source", "out"),
)  # fmt: skip
flags.DEFINE_enum("norm", "linf", list(attacks.NORMS), "norm of the perturbation ball")
flags.DEFINE_list(
    "targets", None, "several models to judge, separated by commas, in one run"
)
flags.DEFINE_string(
    "attack", "pgd-20", "none, an attack or a list: " + attacks.known_attacks()
    + "; pgd-20x5 means 20 steps and 5 restarts; with transfer: in front, as in "
    "transfer:pgd-20, an attack is run against --surrogate; with the name of another "
    "view (see --adaptive) against that",
)  # fmt: skip
_defended.define_flags()
flags.DEFINE_bool(
    "each_alone", False, "let every attack meet every image that was right, not only "
    "what the attacks before it left standing: slower, but each attack's accuracy is "
    "then its own",
)  # fmt: skip
flags.DEFINE_bool(
    "eight_bit", False, "judge attacked images as 8-bit files would hold them"
)
flags.DEFINE_string(
    "adversarial", None, "a source of images attacked elsewhere, by index: they are "
    "projected into the ball and judged like any attack, under the name 'given'",
)  # fmt: skip
flags.DEFINE_integer(
    "check_images", 32, "images that the reliability checks look at, 0 for no checks",
    lower_bound=0,
)  # fmt: skip
flags.DEFINE_float(
    "clean_gate", 0.5, "clean accuracy that the model is known to reach: below it, the "
    "numbers are marked as unreliable", lower_bound=0.0, upper_bound=1.0,
)  # fmt: skip
flags.DEFINE_bool("save_images", False, "write the attacked images to OUT/adversarial")


def main(_) -> int:
    radii = _radii()
    targets = _survey.load_targets(FLAGS.target, FLAGS.targets)
    surrogate = models.load_model(FLAGS.surrogate) if FLAGS.surrogate else None
    source = data.open_source(FLAGS.source, data_dir=FLAGS.data_dir, limit=FLAGS.limit)
    if not source.labelled:
        raise InputError(f"--source={FLAGS.source} has no labels to compare with")
    given = None
    if FLAGS.adversarial:
        given = data.open_source(FLAGS.adversarial, data_dir=FLAGS.data_dir)
    used = {**targets, **({"surrogate": surrogate} if surrogate else {})}
    _protected.check(source, used, truth=True)
    settings = _survey.Settings(
        source, surrogate, FLAGS.attack, FLAGS.norm, FLAGS.each_alone,
        FLAGS.eight_bit, given, FLAGS.check_images, FLAGS.clean_gate, FLAGS.save_images,
    )  # fmt: skip
    return _survey.survey(settings, targets, radii)


def _radii() -> dict[str, float]:
    """The radii by the text that named them, ascending."""
    if FLAGS.eps is None:
        if FLAGS.attack == "none":
            return {}
        raise InputError(
            f"--attack={FLAGS.attack} needs --eps, for example --eps=8/255"
        )
    texts = [text.strip() for text in FLAGS.eps.split(",")]
    radii = {text: _flags.parse_eps(text, FLAGS.norm) for text in texts}
    if len(set(radii.values())) < len(texts):
        raise InputError(f"--eps={FLAGS.eps} names a radius twice")
    return dict(sorted(radii.items(), key=lambda item: item[1]))


if __name__ == "__main__":
    _main.run(main)
