"""Which draws a protection makes: those that pay, or those of the paper."""

from typing import Any, NamedTuple

from mspd_jax.errors import InputError


class Draws(NamedTuple):
    """Of each epoch: how many, and whether they come in pairs u and -u."""

    samples: int
    antithetic: bool


# Four in pairs do what the paper's twenty do, at a fifth of the cost: results/cascades.
RECIPES = {"antithetic": Draws(4, True), "paper": Draws(20, False)}
USUAL = "antithetic"
# Fields that the bi-level baseline alone has, with the values of its paper.
_BILEVEL = {"outer_steps": 100, "inner_steps": 20, "outer_rate": 0.1}


def draws_of(job: Any) -> Draws:
    """Those of the job's recipe, in the place of what it leaves open."""
    usual = RECIPES[job.recipe]
    return Draws(
        usual.samples if job.samples is None else job.samples,
        usual.antithetic if job.antithetic is None else job.antithetic,
    )


def refuse_baseline(job: Any) -> None:
    """Refuses fields of the baseline in a job of MSPD, where they would do nothing."""
    for name, usual in _BILEVEL.items():
        if (value := getattr(job, name)) != usual:
            raise InputError(f"`{name}`={value} goes with `method`=bilevel alone")
