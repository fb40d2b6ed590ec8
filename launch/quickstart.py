"""The whole story on embedded data: train, protect, attack, revert, report.

    python -m launch.quickstart --out=OUT

Trains a robust surrogate and two robust models that the surrogate never meets, on 8x8
digits; protects the test images with MSPD (and some with the slow bi-level baseline),
reverts the protection, attacks everything, and prints one table. OUT/report.md and
OUT/picture.png show the same; OUT/mspd/images holds the protected images. Two minutes
on two CPU cores, no download. Interrupted, the same command goes on.
"""

from launch import _flags, _main, _story  # isort: skip

import pathlib
import time

from absl import flags

from mspd_jax import preempt, report, runs

FLAGS = flags.FLAGS
_flags.define("eps", "seed", "block", "batch_size", "out", eps="0.15", batch_size=150,
              out="runs/quickstart")  # fmt: skip
flags.DEFINE_integer("epochs", 10, "passes over the training images", lower_bound=1)
flags.DEFINE_integer(
    "bilevel_images", 50, "how many images the slow baseline protects", lower_bound=1
)

ATTACK = "pgd-20"
RECIPES = {
    "surrogate": _story.Recipe(0, (16, 32, 64), "pgd"),
    "target A": _story.Recipe(1, (32, 64), "pgd"),
    "target B": _story.Recipe(2, (24, 48, 96), "fgsm"),
}


def main(_) -> None:
    start = time.perf_counter()
    eps, out = _flags.parse_eps(FLAGS.eps, "linf"), pathlib.Path(FLAGS.out)
    _story.check_folder(out, RECIPES)
    trained = {
        name: _story.trained(out / name.replace(" ", "_"), recipe, eps=eps,
                             epochs=FLAGS.epochs)
        for name, recipe in RECIPES.items()
    }  # fmt: skip
    sets = _write_sets(out, trained["surrogate"], eps)
    results = {
        (title, name): _story.attacked(
            out / "attacked" / f"{folder.name} on {name}".replace(" ", "_"),
            spec, name, model, eps=eps, attack=ATTACK,
        )
        for title, (folder, spec, _) in sets.items()
        for name, model in trained.items()
    }  # fmt: skip
    rows = _story.table(sets, results)
    columns = list(rows[0])
    table = report.markdown_table(rows, columns)
    unseen = [out / "mspd", out / "attacked" / "unprotected_on_target_A"]
    unseen.append(out / "attacked" / "mspd_on_target_A")
    shown = runs.read_runs([str(folder) for folder in unseen])
    section = report.protection_section(shown, images=8)
    note = (
        f"\nAccuracies in percent: clean / under {ATTACK} with full knowledge of the "
        f"attacked model, l_inf {eps:g}. The surrogate protects and labels; the "
        "targets never met it.\n"
    )
    runs.write_file(out / "report.csv", report.csv_table(rows, columns).encode())
    runs.write_file(out / "picture.png", section.pictures["picture.png"])
    text = f"# Quickstart\n\n{table}{note}{section.text}"
    runs.write_file(out / "report.md", text.encode())
    print(f"\n{table}{note}")
    print(f"{time.perf_counter() - start:.0f} s; see {out}/report.md and picture.png")


def _write_sets(out: pathlib.Path, surrogate, eps: float) -> dict:
    """The image sets by title: folder, source, seconds per image."""
    test, few = "digits:test", FLAGS.bilevel_images
    sets = {"unprotected": (out / "unprotected", test, None)}

    def add(title, folder, job, source, function, limit=None):
        done = _story.written(
            out / folder, job, source, surrogate, function, eps=eps, limit=limit
        )
        rate = done["images_per_second"]
        sets[title] = (out / folder, f"folder:{out / folder}", rate and 1 / rate)

    add("MSPD", "mspd", "protect", test, preempt.protect)
    add("MSPD, reverted", "mspd_reverted", "revert", f"folder:{out}/mspd",
        preempt.revert)  # fmt: skip
    baseline = _story.with_coupled_labels(preempt.bilevel)
    add("bi-level", "bilevel", "protect", test, baseline, few)
    return sets


if __name__ == "__main__":
    _main.run(main)
