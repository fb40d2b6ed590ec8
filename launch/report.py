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

from launch import _main, _report_picture, _report_rows  # isort: skip (prepares JAX)
from launch import _report_certified, _report_checks, _report_curves  # isort: skip
from launch import _report_patches  # isort: skip

import pathlib

from absl import flags

from mspd_jax import runs
from mspd_jax.errors import InputError
from mspd_jax.evaluate import csv_table, markdown_table

FLAGS = flags.FLAGS
flags.DEFINE_list(
    "runs", None, "folders to report on, separated by commas: what other mains wrote "
    "with --out, or a folder that holds several of them", required=True,
)  # fmt: skip
flags.DEFINE_string(
    "out", None, "folder for report.md, report.csv and pictures; an older report in it "
    "is replaced", required=True,
)  # fmt: skip
flags.DEFINE_integer("images", 8, "rows of the picture, 0 for none", lower_bound=0)

_NOTES = """
Accuracies are cut to one decimal, never rounded up; in brackets the 95 % interval
(Wilson) over the choice of images. Robust accuracy counts the images that survive every
attack of the run: these attacks and no others. "claimed" counts, for a model behind a
defence, those that survive the attacks of its authors' setting alone: no measure of
robustness. "attack" is an attack alone, "after" is what it and those before it leave
standing. Distances are those of the 8-bit files.
"""


def main(_) -> None:
    found = runs.read_runs(FLAGS.runs)
    out = pathlib.Path(FLAGS.out).expanduser()
    if out.exists() and not out.is_dir():
        raise InputError(f"--out={out} is a file; a folder is needed")
    if (out / "run.json").exists():
        raise InputError(f"--out={out} holds a run; name another folder for the report")
    rows = _report_rows.raw_rows(found)
    told = _report_rows.told_rows(rows)
    table = markdown_table(told, _report_rows.told_columns(told))
    png, line = None, "No picture was asked for."
    if FLAGS.images:
        png, line = _report_picture.picture(found, count=FLAGS.images)
    shown = "![original, protected, perturbation, attacked](picture.png)\n\n" * bool(
        png
    )
    curve, curve_line = _report_curves.curves(found)
    plot = "![robust accuracy against eps](curve.png)\n\n" * bool(curve)
    text = f"# Report\n\n{table}{_NOTES}\n{plot}{curve_line}\n\n{shown}{line}\n"
    section, certified = _report_certified.certified_section(found, rows)
    against_patches, patches = _report_patches.patches_section(rows)
    text += section + against_patches + _report_checks.checks_section(found)
    runs.write_file(out / "report.csv", _csv(rows).encode())
    images = {
        "picture.png": png, "curve.png": curve, "certified.png": certified,
        "patches.png": patches,
    }  # fmt: skip
    for name, image in images.items():
        if image:
            runs.write_file(out / name, image)
        else:
            (out / name).unlink(missing_ok=True)
    runs.write_file(out / "report.md", text.encode())
    print(f"{table}\nwrote {out / 'report.md'}")


def _csv(rows: list[dict]) -> str:
    return csv_table(rows, _report_rows.raw_columns(rows))


if __name__ == "__main__":
    _main.run(main)
