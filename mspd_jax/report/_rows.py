"""Names and numbers of runs as flat rows, for the CSV and for all tables."""

import pathlib
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from mspd_jax import attacks, evaluate
from mspd_jax.runs import Run

Row = dict[str, Any]

# Order of the CSV columns; attacks, one column each, follow `reliable`.
_HEAD = "run job finished model defense source images eps norm".split()
_KINDS = ("clean", "robust", "claimed")
_ENDS = ("accuracy", "low", "high")
_ACCURACY = (*(f"{kind}_{end}" for kind in _KINDS for end in _ENDS), "reliable")
# Columns that a table has if one of its runs is a certification.
_NOISE = "method denoiser sigma samples alpha".split()
_WINDOWS = "method confidence".split()
_NEURONS = "cut keep select".split()
_CLAIMS = "certified_accuracy abstained mean_radius samples_drawn".split()
_VERDICTS = (
    "patch windows certified_accuracy unguarded_accuracy alert_rate mean_predictions"
).split()
_CERTIFICATE = dict.fromkeys(_NOISE + _WINDOWS + _NEURONS + _CLAIMS + _VERDICTS)
_TAIL = (
    "labeler labeler_accuracy linf_mean linf_max l2_mean l2_max linf_to_original_max "
    "seconds_per_image warnings"
).split()
# Columns of one attack: of an attack on every image, and on those that survived the
# attacks before it.
ATTACK, AFTER = "attack:", "after:"
# Columns of one radius, and of one attack with patches.
CERTIFIED, UNDETECTED = "certified:", "undetected:"


def summary_rows(runs: Sequence[Run]) -> list[Row]:
    """One flat dict of plain values per run.

    Accuracies are shares with the `_low` and `_high` end of their interval; attacks
    have keys like `attack:pgd-20`, certified radii like `certified:0.5`.
    """
    return [_common(run) | _results(run) for run in runs]


def summary_columns(rows: Sequence[Row]) -> list[str]:
    """The columns of a CSV of rows, those of attacks and certificates in use."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    found = [key for key in keys if key.startswith((ATTACK, AFTER))]
    certificate = [key for key in _CERTIFICATE if key in keys]
    shares = [CERTIFIED + radius for radius in certified_radii(rows)]
    shares += [key for key in keys if key.startswith(UNDETECTED)]
    return [*_HEAD, *_ACCURACY, *found, *certificate, *shares, *_TAIL]


def certified_radii(rows: Sequence[Row]) -> list[str]:
    """The radii at which the rows hold certified accuracies, the smallest first."""
    keys = {key for row in rows for key in row if key.startswith(CERTIFIED)}
    return sorted((key.removeprefix(CERTIFIED) for key in keys), key=float)


def certifies_noise(run: Run) -> bool:
    """Whether a run is a certification under noise, against small changes."""
    return run.info.get("job") == "certify" and not certifies_patches(run)


def certifies_patches(run: Run) -> bool:
    """Whether a run is a certification against patches."""
    return run.info.get("job") == "certify" and run.fields.get("patch") is not None


def model_name(fields: Mapping[str, Any]) -> str | None:
    """The model that a job is about: its checkpoint's name, or where it is queried."""
    if fields.get("query"):
        return _query_name(fields["query"])
    roles = ("target", "surrogate", "arch", "init")
    return path_name(next((fields[r] for r in roles if fields.get(r)), None))


def defense_name(fields: Mapping[str, Any]) -> str | None:
    """What stands in front of the model: checkpoints by the names of their folders."""
    roles = (fields.get(role) for role in ("purify", "defense"))
    chain = [text for text in roles if text not in (None, "", "none")]
    layers = [layer.strip().partition(":") for layer in ",".join(chain).split(",")]
    names = [f"{name}{colon}{path_name(rest) or ''}" for name, colon, rest in layers]
    return ",".join(names) or None


def path_name(path: str | None) -> str | None:
    """Last part of the path of a checkpoint; `x/model` is x."""
    parts = [] if path is None else pathlib.PurePath(str(path)).parts
    if len(parts) > 1 and parts[-1] == "model":
        parts = parts[:-1]
    return parts[-1] if parts else None


def _results(run: Run) -> Row:
    if certifies_patches(run):
        return _against_patches(run)
    return _under_noise(run) if certifies_noise(run) else _under_attack(run)


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


def _common(run: Run) -> Row:
    fields, summary = run.fields, run.summary or {}
    eval_source = fields.get("eval_source") if summary.get("eval_images") else None
    return {
        **dict.fromkeys(_ACCURACY),
        **{key: summary.get(key) for key in _TAIL},
        **_accuracy(summary, "clean"),
        "run": run.name,
        "job": run.info.get("job"),
        "finished": run.summary is not None,
        "model": model_name(fields),
        "defense": defense_name(fields),
        "source": eval_source or fields.get("source"),
        # Training counts its steps' images; accuracies are over the records.
        "images": len(run.records) or summary.get("images"),
        "eps": fields.get("eps") or _rounded(summary.get("eps")),
        "norm": fields.get("norm"),
        "seconds_per_image": _seconds_per_image(run),
        "warnings": "; ".join(_warnings(summary)) or None,
    }


def _under_attack(run: Run) -> Row:
    summary = run.summary or {}
    prefix = ATTACK if summary.get("attacks_each_alone", True) else AFTER
    robust_doubted, claimed_doubted = _doubts(summary)
    return {
        **_accuracy(summary, "robust"),
        **_accuracy(summary, "claimed"),
        **{prefix + name: share for name, share in _attacks(summary).items()},
        "reliable": summary.get("reliable"),
        "robust_doubted": robust_doubted,
        "claimed_doubted": claimed_doubted,
    }


def _under_noise(run: Run) -> Row:
    fields, summary = run.fields, run.summary or {}
    certified = summary.get("certified") or {}
    return {
        **{key: fields.get(key) for key in _NOISE},
        "denoiser": path_name(fields.get("denoiser")),
        **{key: summary.get(key) for key in _CLAIMS},
        **{CERTIFIED + radius: share for radius, share in certified.items()},
    }


def _against_patches(run: Run) -> Row:
    # Under attack an alert counts as right: no robust accuracy like that of others.
    fields, summary = run.fields, run.summary or {}
    neurons = fields if fields.get("method") == "scalecert" else {}
    undetected = summary.get("undetected") or {}
    return {
        **{key: fields.get(key) for key in _WINDOWS},
        **{key: neurons.get(key) for key in _NEURONS},
        **{key: summary.get(key) for key in _VERDICTS},
        **_accuracy(summary, "certified"),
        **{UNDETECTED + name: share for name, share in undetected.items()},
    }


def _accuracy(summary: dict, kind: str) -> Row:
    low, high = summary.get(f"{kind}_interval") or (None, None)
    values = (summary.get(f"{kind}_accuracy"), low, high)
    return {f"{kind}_{end}": v for end, v in zip(_ENDS, values, strict=True)}


def _attacks(summary: dict) -> dict[str, float]:
    return summary.get("attacks") or {}


def _seconds_per_image(run: Run) -> float | None:
    """Time of an image, without compilation where the run measured that apart."""
    summary = run.summary or {}
    if str(run.info.get("job")).startswith("train"):
        return None  # its rate counts training steps, another thing
    if summary.get("images_per_second"):
        return 1 / summary["images_per_second"]
    computed = summary.get("images_computed")
    return summary["seconds"] / computed if computed and "seconds" in summary else None


def _failed_checks(summary: dict) -> list[str]:
    checks = summary.get("reliability") or []
    return [check["name"] for check in checks if check["passed"] is False]


def _warnings(summary: dict) -> list[str]:
    """Those of a run, but of checks, which have their own section, that they failed."""
    failed = _failed_checks(summary)
    others = summary.get("warnings") or []
    others = [text for text in others if not text.startswith("unreliable")]
    return others + ([f"unreliable: {', '.join(failed)}"] if failed else [])


def _doubts(summary: dict) -> tuple[bool, bool]:
    """Whether the robust and the claimed accuracy are marked as unreliable.

    A masked gradient spoils the accuracy under attacks that follow it. The worst case
    over all attacks holds where some of them put another gradient in its place.
    """
    failed = set(_failed_checks(summary))
    views = {attacks.split_view(name)[0] for name in _attacks(summary)}
    if views & {"bpda", "eot", "unmasked"}:
        return bool(failed - set(evaluate.GRADIENT_CHECKS)), bool(failed)
    return bool(failed), bool(failed)


def _query_name(query: str) -> str:
    """What is queried, without parts that may be secret: reports are passed on."""
    kind, _, rest = query.partition(":")
    if kind in ("http", "https"):
        return urllib.parse.urlsplit(query).hostname or kind
    if kind == "command":
        words = rest.split()
        return pathlib.PurePath(words[0]).name if words else kind
    return rest
