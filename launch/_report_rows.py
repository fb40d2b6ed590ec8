"""What a table says of each run."""

import pathlib
import urllib.parse
from collections.abc import Sequence

from mspd_jax import attacks, evaluate
from mspd_jax.runs import Run

# Order of the CSV columns; attacks, one column each, follow `reliable`.
_HEAD = (
    "run", "job", "finished", "model", "defense", "source", "images", "eps", "norm",
)  # fmt: skip
_ACCURACY = (
    "clean_accuracy", "clean_low", "clean_high",
    "robust_accuracy", "robust_low", "robust_high",
    "claimed_accuracy", "claimed_low", "claimed_high", "reliable",
)  # fmt: skip
_TAIL = (
    "labeler", "labeler_accuracy", "linf_mean", "linf_max", "l2_mean", "l2_max",
    "linf_to_original_max", "seconds_per_image", "warnings",
)  # fmt: skip
# An attack that met every image, and one that met what those before it had left.
_ATTACK, _AFTER = "attack:", "after:"
_TOLD = {_ATTACK: "attack {} %", _AFTER: "after {} %"}
# What a certification adds: of its flags, of its summary, and a share for each radius.
_NOISE = ("method", "denoiser", "sigma", "samples", "alpha")
_CLAIMS = ("certified_accuracy", "abstained", "mean_radius", "samples_drawn")
CERTIFIED = "certified:"
# What a certification against patches adds, of its flags and of its summary.
PATCHED = ("scalecert", "minority", "patchcleanser")
_WINDOWS = ("method", "confidence")
_NEURONS = ("cut", "keep")
UNDETECTED = "undetected:"
_VERDICTS = (
    "patch", "windows", "certified_accuracy", "certified_interval", "clean_interval",
    "unguarded_accuracy", "alert_rate", "mean_predictions",
)  # fmt: skip


def raw_rows(runs: Sequence[Run]) -> list[dict]:
    """One flat dict of plain values per run, for the CSV."""
    return [_raw_row(run) for run in runs]


def raw_columns(rows: Sequence[dict]) -> list[str]:
    """The CSV columns, those of attacks and certificates that occur among them."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    attacks = [key for key in keys if key.startswith((_ATTACK, _AFTER))]
    added = (*_NOISE, *_WINDOWS, *_NEURONS, *_CLAIMS, *_VERDICTS)
    claims = [
        key
        for key in dict.fromkeys(added)
        if key in keys and not key.endswith("_interval")
    ]
    shares = [CERTIFIED + radius for radius in certified_radii(rows)]
    shares += [key for key in keys if key.startswith(UNDETECTED)]
    return [*_HEAD, *_ACCURACY, *attacks, *claims, *shares, *_TAIL]


def certified_radii(rows: Sequence[dict]) -> list[str]:
    """The radii at which the rows hold certified accuracies, the smallest first."""
    keys = {key for row in rows for key in row if key.startswith(CERTIFIED)}
    return sorted((key.removeprefix(CERTIFIED) for key in keys), key=float)


def told_rows(rows: Sequence[dict]) -> list[dict]:
    """The rows in words, for the Markdown table: percent with intervals, levels."""
    return [_told_row(row) for row in rows]


def told_columns(rows: Sequence[dict]) -> list[str]:
    """Columns of the Markdown table that say something in at least one row.

    The worst case over the attacks stands before each attack.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    first = ["run", "job", "model", "defense", "source", "images", "eps"]
    accuracies = ["clean %", "robust % (worst case)", "claimed %", "certified %"]
    attacks = [c for c in columns if c.startswith(("attack ", "after "))]
    last = [c for c in columns if c not in first + accuracies + attacks]
    order = [*first, *accuracies, *attacks, *last]
    return [c for c in order if any(row.get(c) is not None for row in rows)]


def _raw_row(run: Run) -> dict:
    flags, summary = run.flags, run.summary or {}
    judged = flags.get("eval_source") if summary.get("eval_images") else None
    row = {
        "run": run.name,
        "job": run.info.get("job"),
        "finished": run.summary is not None,
        "model": model_name(flags),
        "defense": defense_name(flags),
        "source": judged or flags.get("source"),
        # Training counts its steps' images; accuracies are over the records.
        "images": len(run.records) or summary.get("images"),
        "eps": flags.get("eps"),
        "norm": flags.get("norm"),
        "seconds_per_image": _seconds_per_image(run),
        "warnings": "; ".join(_warnings(summary)) or None,
    }
    for kind in ("clean", "robust", "claimed"):
        row[f"{kind}_accuracy"] = summary.get(f"{kind}_accuracy")
        low_high = summary.get(f"{kind}_interval") or (None, None)
        row[f"{kind}_low"], row[f"{kind}_high"] = low_high
    alone = summary.get("attacks_each_alone", True)
    for name, accuracy in (summary.get("attacks") or {}).items():
        row[(_ATTACK if alone else _AFTER) + name] = accuracy
    row["reliable"] = summary.get("reliable")
    row["robust_doubted"], row["claimed_doubted"] = _doubts(summary)
    if row["job"] == "certify" and flags.get("method") in PATCHED:
        neurons = _NEURONS if flags["method"] == "scalecert" else ()
        row |= dict.fromkeys(_NEURONS) | {key: flags.get(key) for key in neurons}
        row |= {key: flags.get(key) for key in _WINDOWS}
        row |= {key: summary.get(key) for key in _VERDICTS}
        # Under attack an alert counts as right, so this is no column of the others.
        row = {k: v for k, v in row.items() if not k.startswith(("robust", _ATTACK))}
        row |= dict.fromkeys(("robust_accuracy", "robust_low", "robust_high"))
        found = summary.get("undetected") or {}
        row |= {UNDETECTED + name: found[name] for name in found}
    elif row["job"] == "certify":
        row |= {key: flags.get(key) for key in _NOISE}
        row["denoiser"] = _path_name(flags.get("denoiser"))
        row |= {key: summary.get(key) for key in _CLAIMS}
        for radius, accuracy in (summary.get("certified") or {}).items():
            row[CERTIFIED + radius] = accuracy
    return {key: summary.get(key) for key in _TAIL} | row


def model_name(flags: dict) -> str | None:
    """The model that the run is about: the name of its checkpoint, or where it is
    asked."""
    roles = ("target", "surrogate", "arch", "init")
    path = next((flags[role] for role in roles if flags.get(role)), None)
    return _asked_name(flags["query"]) if flags.get("query") else _path_name(path)


def defense_name(flags: dict) -> str | None:
    """What stands in front of the model: checkpoints by the names of their folders."""
    chain = [flags[role] for role in ("purify", "defense") if flags.get(role)]
    layers = [layer.strip().partition(":") for layer in ",".join(chain).split(",")]
    told = [f"{name}{colon}{_path_name(rest) or ''}" for name, colon, rest in layers]
    return ",".join(told) or None


def _path_name(path: str | None) -> str | None:
    """Last part of the path of a checkpoint; `x/model` is x."""
    parts = [] if path is None else pathlib.PurePath(str(path)).parts
    if len(parts) > 1 and parts[-1] == "model":
        parts = parts[:-1]
    return parts[-1] if parts else None


def _asked_name(query: str) -> str:
    """What is asked, without parts that may be secret: reports are passed on."""
    kind, _, rest = query.partition(":")
    if kind in ("http", "https"):
        return urllib.parse.urlsplit(query).hostname or kind
    if kind == "command":
        words = rest.split()
        return pathlib.PurePath(words[0]).name if words else kind
    return rest


def _seconds_per_image(run: Run) -> float | None:
    """Time of an image, without compilation where the run measured that apart."""
    summary = run.summary or {}
    if str(run.info.get("job")).startswith("train"):
        return None  # its rate counts training steps, another thing
    if summary.get("images_per_second"):
        return 1 / summary["images_per_second"]
    computed = summary.get("images_computed")
    return summary["seconds"] / computed if computed and "seconds" in summary else None


def _warnings(summary: dict) -> list[str]:
    """The warnings of a run; of reliability checks, which have a section of their own,
    only that they failed."""
    failed = [
        c["name"] for c in summary.get("reliability") or [] if c["passed"] is False
    ]
    told = [w for w in summary.get("warnings") or [] if not w.startswith("unreliable")]
    return [*told, *([f"unreliable: {', '.join(failed)}"] if failed else [])]


def _doubts(summary: dict) -> tuple[bool, bool]:
    """Whether the robust and the claimed accuracy are marked as unreliable.

    A gradient that leads nowhere spoils what attacks along it tell. The minimum stands
    where others have put another gradient in its place.
    """
    failed = {
        c["name"] for c in summary.get("reliability") or [] if c["passed"] is False
    }
    views = {attacks.split_view(name)[0] for name in summary.get("attacks") or {}}
    if views & {"bpda", "eot", "unmasked"}:
        return bool(failed - set(evaluate.GRADIENT_CHECKS)), bool(failed)
    return bool(failed), bool(failed)


def _told_row(row: dict) -> dict:
    count = row["images"]

    def share(value):
        return None if value is None else evaluate.percent(value, count)

    def accuracy(kind):
        value, low, high = (row[f"{kind}_{end}"] for end in ("accuracy", "low", "high"))
        if value is None:
            return None
        shown = evaluate.interval(value, None if low is None else (low, high), count)
        return f"{shown} UNRELIABLE" if row.get(f"{kind}_doubted") else shown

    def pair(norm, scale):
        mean, top = row[f"{norm}_mean"], row[f"{norm}_max"]
        return None if mean is None else f"{mean * scale:.3g} / {top * scale:.3g}"

    to_original, seconds = row["linf_to_original_max"], row["seconds_per_image"]
    warnings = [] if row["finished"] else ["unfinished: no totals yet"]
    warnings += [row["warnings"]] if row["warnings"] else []
    return {
        "run": row["run"],
        "job": row["job"],
        "model": row["model"],
        "defense": row["defense"],
        "source": row["source"],
        "images": count,
        "eps": row["eps"] and f"{row['eps']} {row['norm'] or ''}".strip(),
        "clean %": accuracy("clean"),
        "robust % (worst case)": accuracy("robust"),
        "claimed %": accuracy("claimed"),
        "certified %": share(row.get("certified_accuracy")),
        **{
            words.format(key.removeprefix(prefix)): share(value)
            for prefix, words in _TOLD.items()
            for key, value in row.items()
            if key.startswith(prefix)
        },
        "labels right %": share(row["labeler_accuracy"]),
        "l_inf mean / max (levels of 255)": pair("linf", 255),
        "l_2 mean / max": pair("l2", 1),
        "l_inf to original, max (levels)": to_original and f"{to_original * 255:.3g}",
        "seconds / image": seconds and f"{seconds:.3g}",
        "warnings": "; ".join(warnings) or None,
    }
