"""The training of a restoration network from what a user gives."""

from mspd_jax.data import Source
from mspd_jax.defenses import map_count
from mspd_jax.errors import InputError
from mspd_jax.models import RESTORERS, Model, function_hash, model_kind, predictor
from mspd_jax.train._examples import Examples
from mspd_jax.train._mix import make_mix
from mspd_jax.train._plan import Plan, plan_training
from mspd_jax.train._restoration import restoration_objective
from mspd_jax.train._start import check_classifier, start_of


def make_restoration_plan(
    examples: Examples,
    judged: Source | None,
    *,
    classifier: Model,
    rule: str,
    mix: dict[str, float],
    eps: list[float],
    attack_steps: int,
    ce_weight: float,
    init: str | None,
    arch: str | None,
    arch_options: str,
    **training,
) -> Plan:
    """Builds a plan from values as the flags of train_trn give them.

    Raises InputError for whatever cannot be used. classifier: stays as it is; mix:
    shares of attacks by name; eps: their radii. judged, training: as `plan_training`
    takes them.
    """
    check_classifier(classifier, examples, labelled=True)
    predict = predictor(classifier)
    try:
        lowered = restoration_objective(
            predict,
            make_mix(mix, eps=eps, steps=attack_steps),
            rule=rule,
            ce_weight=ce_weight,
        )
        maps = map_count(rule, classifier.spec.num_classes)
    except ValueError as error:
        raise InputError(str(error)) from error
    read, known = {"rule": rule, "maps": maps}, RESTORERS.split(", ")
    start = start_of(
        examples,
        init=init,
        arch=arch,
        arch_options=arch_options,
        more=read if arch in known else None,
    )
    spec = start.spec if isinstance(start, Model) else start
    if spec.architecture not in known:
        raise InputError(
            f"a {spec.architecture} is {model_kind(spec)}, not a restoration network: "
            f"choose one of {RESTORERS}"
        )
    if {name: spec.options.get(name) for name in read} != read:
        raise InputError(
            f"--init reads the maps of rule {spec.options.get('rule')!r}, "
            f"{spec.options.get('maps')} of them; --rule={rule} gives {maps}: give the "
            "same rule and a classifier of as many classes"
        )
    return plan_training(
        examples, judged, start, lowered, num_classes=classifier.spec.num_classes,
        **training,
    )  # fmt: skip


def restoration_origin(classifier: Model, *, rule: str) -> dict:
    """What a checkpoint of a restoration network says of what it was made for."""
    return {"rule": rule, "classifier": function_hash(classifier)}
