"""Tables and a picture from the folders of finished runs.

    python -m launch.report --runs=OUT/protect,OUT/before,OUT/after --out=OUT/report

writes report.md (a table to read, and what each reliability check measured), report.csv
(the same numbers in full); curve.png, robust accuracy against eps, if evaluations at
several eps are among the runs; certified.png, certified accuracy against the l2 radius,
if certifications are; patches.png, certified accuracy against the work it takes, if
certifications against patches are; and picture.png, if a protect run is: original,
protected, perturbation enlarged ten times and, from evaluate --save_images, attacked
images. --html writes report.html, too: one file that holds all of it, the settings of
each run and the command that repeats it. Any mix of jobs is fine; a folder that holds
run folders counts as all of them. Takes seconds.
"""

from launch import _main
from mspd_jax import jobs, report

_OUT = "folder for report.md, report.csv and pictures; an older report is replaced"


def show(page: report.Page) -> int:
    """Prints the table, on the first process of a cluster."""
    if page.files:
        pages = [str(file) for file in page.files if file.suffix in (".md", ".html")]
        print(f"{page.table}\nwrote {', '.join(pages)}")
    return 0


if __name__ == "__main__":
    _main.run_job(jobs.Report, show=show, out=_OUT)
