"""Tables and a picture from the folders of finished runs.

    python -m launch.report --runs=OUT/protect,OUT/before,OUT/after --out=OUT/report

writes report.md (a table to read, and what each reliability check measured), report.csv
(the same numbers in full); curve.png, robust accuracy against eps, if evaluations at
several eps are among the runs; certified.png, certified accuracy against the l2 radius,
if certifications are; patches.png, certified accuracy against the work it takes, if
certifications against patches are; and picture.png, if a protect run is: original,
protected, perturbation enlarged ten times and, from evaluate --save_images, attacked
images. Any mix of jobs is fine; a folder that holds run folders counts as all of them.
Takes seconds.
"""

from absl import flags

from launch import _main
from mspd_jax import report

FLAGS = flags.FLAGS
flags.DEFINE_list(
    "runs",
    None,
    "folders to report on, separated by commas: what other mains wrote "
    "with --out, or a folder that holds several of them",
    required=True,
)
flags.DEFINE_string(
    "out",
    None,
    "folder for report.md, report.csv and pictures; an older report in it is replaced",
    required=True,
)
flags.DEFINE_integer("images", 8, "rows of the picture, 0 for none", lower_bound=0)


def main(_: list[str]) -> None:
    made = report.write_report(FLAGS.runs, FLAGS.out, images=FLAGS.images)
    print(f"{made.table}\nwrote {made.files[0]}")


if __name__ == "__main__":
    _main.run(main)
