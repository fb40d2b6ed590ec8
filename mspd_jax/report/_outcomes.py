"""What a run found of each image: is it right, and right whatever is done to it?"""

from mspd_jax.evaluate import survives
from mspd_jax.report._rows import certifies_noise, certifies_patches
from mspd_jax.runs import Run

CERTIFIED = "certified"  # how certificates begin in words
_RADII = (0.25, 0.5)

# By index: whether the image is right, and right whatever is done to it.
Outcomes = dict[int, tuple[bool, bool]]


def outcomes(run: Run) -> dict[str, Outcomes]:
    """By the attack in words, or by the certificate; one run may answer several."""
    fields = run.fields
    if certifies_patches(run):
        how = (
            f"{CERTIFIED} against {fields.get('patch')} x {fields.get('patch')} patches"
            f", {fields.get('method')}, {fields.get('windows')} windows an axis"
        )
        return {how: {r["index"]: (r["correct"], _unseen(r)) for r in run.records}}
    if certifies_noise(run):
        by = f"{fields.get('method')}, sigma {fields.get('sigma'):g}"
        by += f", n = {fields.get('samples')}"
        return {
            f"{CERTIFIED} at l2 {radius:g}, {by}": {
                r["index"]: (r["correct"], r["correct"] and r["radius"] >= radius)
                for r in run.records
            }
            for radius in _RADII
        }
    how = f"{fields.get('attack')}, {fields.get('norm')} {fields.get('eps')}"
    return {how: {r["index"]: (r["correct"], survives(r)) for r in run.records}}


def _unseen(record: dict) -> bool:
    """Whether no patch brings about a wrong class without an alert."""
    return record["certified"] and record["prediction"] == record["label"]
