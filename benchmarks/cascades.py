"""What variants of the cascade gain on networks that protection never met, per pass.

    python -m benchmarks.cascades --shared=SHARED --out=OUT

SHARED is as results/external_models/command.sh wants it. Each variant protects the
same lossless CIFAR-10 test images by the same surrogate, for the labels of a public
ResNet-32; 8-bit images are then attacked by PGD-20 with full knowledge of each target,
robust networks that others trained. Prints for each variant the passes, mean clean and
robust accuracy over the targets, and the difference of the latter to the paper's
variant, with the 95 % interval of the mean over images, which both share. Draws
OUT/cascades.png. What is finished is not done again. An hour on two CPU cores.
"""

from launch import _platform

_platform.prepare()  # before JAX starts, as every main does

import io  # noqa: E402
import json  # noqa: E402
import pathlib  # noqa: E402

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from absl import app, flags, logging  # noqa: E402
from jax.tree_util import Partial  # noqa: E402

from benchmarks import _cascades, _external, _measure  # noqa: E402
from benchmarks._cascades import BiLevel, Variant  # noqa: E402
from mspd_jax import attacks, data, drive, models  # noqa: E402

FLAGS = flags.FLAGS
flags.DEFINE_string("shared", None, "folder of data and weights", required=True)
flags.DEFINE_string("out", None, "where all of it goes", required=True)
flags.DEFINE_list("surrogates", ["cifar10_resnet20_robust"], "that share the draws")
flags.DEFINE_bool("together", False, "each draw asks all surrogates, not one in turn")
flags.DEFINE_list("targets", ["resnet4b", "cnn_a_adv", "oval_wide"], "those attacked")
flags.DEFINE_multi_string("variant", [], "its name, again for more; all by default")
flags.DEFINE_integer("limit", 256, "how many images")
flags.DEFINE_float("eps", 8 / 255, "radius of protection and attack")
flags.DEFINE_integer("seed", 0, "seed of noise and attacks")

_PAPER = "paper, N = 20"
_FEW = {"samples": 4, "draws": "antithetic"}
VARIANTS: dict[str, Variant | BiLevel] = {
    _PAPER: Variant(),
    "N = 1": Variant(samples=1),
    "N = 2": Variant(samples=2),
    "N = 4": Variant(samples=4),
    "N = 8": Variant(samples=8),
    "antithetic, 2": Variant(samples=2, draws="antithetic"),
    "antithetic, 4": Variant(**_FEW),
    "antithetic, 8": Variant(samples=8, draws="antithetic"),
    "strata, 4": Variant(samples=4, draws="strata"),
    "strata and antithetic, 4": Variant(samples=4, draws="both"),
    "antithetic, 4, half the noise": Variant(**_FEW, width=0.5),
    "antithetic, 4, half the step": Variant(**_FEW, step=0.5),
    "antithetic, 4, twice the step": Variant(**_FEW, step=2.0),
    "antithetic, 4, rate 0.5": Variant(**_FEW, rate=0.5),
    "antithetic, 4, rate 2": Variant(**_FEW, rate=2.0),
    "antithetic, 4, momentum 0.5": Variant(**_FEW, momentum=0.5),
    "antithetic, 4, momentum 1": Variant(**_FEW, momentum=1.0),
    "antithetic, 4, margin": Variant(**_FEW, loss=attacks.margin),
    "antithetic, 4, smoothed labels": Variant(
        **_FEW, loss=_cascades.smoothed_cross_entropy
    ),
    "antithetic, 4, resized": Variant(**_FEW, diversity=1.0),
    "forward only, 4": Variant("F", samples=4, draws="antithetic"),
    "antithetic, 2, FFBB": Variant("FFBB", samples=2, draws="antithetic"),
    "antithetic, 2, FBFB": Variant("FBFB", samples=2, draws="antithetic"),
    "antithetic, 2, FBBB": Variant("FBBB", samples=2, draws="antithetic"),
    "antithetic, 4, FBB, rate 0.5": Variant("FBB", **_FEW, rate=0.5),
    "bi-level, 2 x (3 + 1)": BiLevel(2, 3, 1.0),
    "bi-level, 10 x (3 + 1)": BiLevel(10, 3, 0.3),
}
_LABELER = "resnet32"
_NETWORKS = {
    _LABELER: ("resnet32-d509ac18.th", "akamaster_resnet32"),
    "resnet4b": ("external/resnet4b.pth", "resnet4b"),
    "resnet2b": ("external/resnet2b.pth", "resnet2b"),
    "cnn_a_adv": ("external/cifar_cnn_a_adv.model", "cifar_cnn_a"),
    "oval_wide": ("external/cifar_wide.pth", "oval_wide"),
    "oval_deep": ("external/cifar_deep.pth", "oval_deep"),
}


def main(_):
    logging.set_verbosity(logging.WARNING)
    out, shared = pathlib.Path(FLAGS.out), pathlib.Path(FLAGS.shared)
    print(_measure.surroundings("jax"))
    how = ", together" if FLAGS.together else ""
    print(f"\n{FLAGS.limit} images; surrogates {', '.join(FLAGS.surrogates)}{how}")
    weights = shared / "weights"
    networks = {
        name: _external.converted(out, name, weights / file, model)
        for name, (file, model) in _NETWORKS.items()
        if name in (_LABELER, *FLAGS.targets, *FLAGS.surrogates)
    }
    labeler = networks[_LABELER]
    targets = {name: networks[name] for name in FLAGS.targets}
    source = data.open_source(
        "tfds:cifar10_subset:test", data_dir=shared / "data", limit=FLAGS.limit
    )
    FLAGS.surrogates = [networks.get(name, name) for name in FLAGS.surrogates]
    kept = _Kept(out / "records.jsonl")
    names = FLAGS.variant or list(VARIANTS)
    bare = _verdicts(kept, "unprotected", targets, lambda: source)
    _print_row("unprotected", 0, bare, None)
    paper, points = None, {}
    for name in dict.fromkeys([_PAPER, *names]):
        variant = VARIANTS[name]
        made = _verdicts(
            kept,
            name,
            targets,
            lambda v=variant: _protected(v, source, labeler),
        )
        paper = made if name == _PAPER else paper
        passes = variant.passes * (len(FLAGS.surrogates) if FLAGS.together else 1)
        _print_row(name, passes, made, paper)
        points[name] = (passes, made[:, 1].mean() - bare[:, 1].mean())
    (out / "cascades.png").write_bytes(_picture(points))


class _Kept:
    """Verdicts by variant and target, in a file that grows."""

    def __init__(self, path: pathlib.Path):
        self.path, self.rows = path, {}
        if path.exists():
            for line in path.read_text().splitlines():
                row = json.loads(line)
                self.rows[tuple(row["cell"])] = row["verdicts"]

    def of(self, cell: tuple, compute) -> np.ndarray:
        if cell not in self.rows:
            self.rows[cell] = compute()
            with self.path.open("a") as file:
                row = {"cell": cell, "verdicts": self.rows[cell]}
                file.write(json.dumps(row) + "\n")
        return np.array(self.rows[cell], float)


def _verdicts(kept: _Kept, name: str, targets, images) -> np.ndarray:
    """[targets, clean and robust, images] of 0 and 1."""
    made: list[data.Source] = []  # protected when a target is not yet decided

    def attack(target):
        made[:] = made or [images()]
        return _attacked(made[0], target)

    guides = [pathlib.PurePath(path).name for path in FLAGS.surrogates]
    guides += ["together"] * FLAGS.together
    plan = (FLAGS.limit, FLAGS.seed, round(FLAGS.eps, 6), *guides)
    return np.stack(
        [
            kept.of((name, target, *plan), lambda p=path: attack(p))
            for target, path in targets.items()
        ]
    )


def _protected(variant, source: data.Source, labeler: str) -> data.Source:
    predicts = [models.predictor(models.load_model(n)) for n in FLAGS.surrogates]
    if FLAGS.together:
        predicts = [Partial(_cascades.mean_answer, tuple(predicts))]
    method = Partial(
        attacks.fixed(_method, variant=variant),
        others=tuple(predicts[1:]),
        eps=jnp.float32(FLAGS.eps),
        labeler=models.predictor(models.load_model(labeler)),
    )
    key = jax.random.key(FLAGS.seed)
    batches = drive.drive(key, predicts[0], method, source, block=32)
    done = {o.record.index: o for batch in batches for o in batch if o.record}
    found = [done[index] for index in source.indices]
    levels = [
        data.quantize(o.result.image, o.record.image, eps=FLAGS.eps, norm="linf")
        for o in found
    ]
    return data.from_arrays(np.stack(levels), np.array([o.record.label for o in found]))


def _method(key, predict, image, label, *, others, eps, labeler, variant):
    given = {"eps": eps, "labeler": labeler, "variant": variant}
    return _cascades.protect(key, (predict, *others), image, label, **given)


def _attacked(source: data.Source, target: str) -> list[list[int]]:
    records = _external.attacked(source, target, eps=FLAGS.eps, seed=FLAGS.seed).records
    robust = [
        r.correct and not any(found["found"] for found in r.attacks.values())
        for r in records
    ]
    return [[int(r.correct) for r in records], list(map(int, robust))]


def _print_row(name: str, passes: int, made: np.ndarray, paper: np.ndarray | None):
    if name == "unprotected":
        print("\n| variant | passes | clean, % | robust, % | to the paper's, points |")
        print("|:--|--:|--:|--:|--:|")
    clean, robust = 100 * made.mean(axis=(0, 2))
    told = ""
    if paper is not None and paper is not made:
        apart = 100 * (made[:, 1] - paper[:, 1]).mean(axis=0)
        half = 1.96 * apart.std(ddof=1) / np.sqrt(len(apart))
        told = f"{apart.mean():+.1f} +- {half:.1f}"
    print(f"| {name} | {passes} | {clean:.1f} | {robust:.1f} | {told} |", flush=True)


def _picture(points: dict[str, tuple[int, float]]) -> bytes:
    """Gain of robust accuracy against passes, and who is beaten by nobody cheaper."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    best = -np.inf
    for name, (passes, gain) in sorted(
        points.items(), key=lambda p: (p[1][0], -p[1][1])
    ):
        ahead = gain > best
        best = max(best, gain)
        color = "#1a7f37" if ahead else "#8c959f"
        axes.plot(passes, 100 * gain, "o", color=color)
        if ahead:
            beside = {"xytext": (7, -3), "textcoords": "offset points"}
            axes.annotate(name, (passes, 100 * gain), color=color, **beside)
    axes.set_xscale("log")
    axes.set_xticks(sorted({p for p, _ in points.values()}))
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.minorticks_off()
    axes.margins(x=0.2)
    axes.set_xlabel("gradients per image")
    axes.set_ylabel("gain of robust accuracy, points")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    app.run(main)
