"""What decides the results of a run, derived from the fields of its job."""

import dataclasses
import re
from typing import Any

from mspd_jax import data, models
from mspd_jax.jobs._option import choices_of
from mspd_jax.jobs._values import Loaded, loaded


def job_name(job: type) -> str:
    """`TrainClassifier` -> train_classifier, or what the class calls itself."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", job.__name__).lower()
    return getattr(job, "NAME", name)


def identity(job: Any, used: dict[str, Loaded], **resolved: Any) -> dict:
    """What decides the results of a job: its fields, the hashes of its models, and what
    the machine's block and chunk came to (`resolved`)."""
    return {
        "job": job_name(type(job)),
        "fields": fields_of(job),
        "models": {role: model.digest for role, model in used.items()},
        **resolved,
    }


def fields_of(job: Any) -> dict:
    """The fields of a job as plain values, sorted by name.

    Those of a nested choice stand beside the others: `method` names the choice. Models
    and sources that are values are named by what they say of themselves. What a name
    stands for is put in its place by a job's own `resolved`, where it has one.
    """
    job = job.resolved() if hasattr(job, "resolved") else job
    found: dict[str, Any] = {}
    nested = choices_of(type(job))
    for field in dataclasses.fields(job):
        value = getattr(job, field.name)
        if field.metadata.get("later") and value == field.default:
            continue  # as in the runs from before it came
        if field.name in nested and value is not None:
            found |= {field.name: choice_name(type(value)), **fields_of(value)}
        else:
            found[field.name] = plain(value)
    return dict(sorted(found.items()))


def choice_name(choice: type) -> str:
    """How a choice is called: its NAME, or the name of its class."""
    return getattr(choice, "NAME", choice.__name__.lower())


def plain(value: Any) -> Any:
    """A value as JSON holds it."""
    if isinstance(value, data.Source):
        return value.spec
    if isinstance(value, tuple | list) and not isinstance(value, models.Model):
        return [plain(part) for part in value]
    if isinstance(value, models.Model):  # a classifier or a denoiser
        return value.spec.architecture
    if callable(value):
        return loaded(value).name
    return value
