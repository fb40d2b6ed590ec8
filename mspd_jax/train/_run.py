"""Training with files: resumes from checkpoints, keeps the log, shows progress."""

import math
import pathlib
import time
from typing import Any

from tqdm import tqdm

from mspd_jax import drive
from mspd_jax.errors import InputError
from mspd_jax.runs import append_metrics, epoch_line, rewind_metrics
from mspd_jax.train._checkpoint import open_checkpoints, restore_state, save_state
from mspd_jax.train._examples import Examples
from mspd_jax.train._fit import Progress, first_state, train_steps
from mspd_jax.train._plan import TrainingPlan
from mspd_jax.train._step import TrainState

_CHECKPOINT_SECONDS = 60.0


def run_training(
    folder: pathlib.PurePath,
    plan: TrainingPlan,
    examples: Examples,
    *,
    checkpoint_every: int | None = None,
    hidden: bool = False,
) -> tuple[TrainState, dict[str, Any]]:
    """Trains to the end, from the latest checkpoint in `folder` if there is one.

    Guarantee: a run that is killed and started again ends with the weights of one that
    was not (identical on CPUs), and metrics.jsonl has one line per epoch.

    folder: where checkpoints and the log lie, or will. checkpoint_every: steps between
    checkpoints, besides one at the last step and one a minute (on a cluster, whose
    clocks differ: every epoch). hidden: shows no progress.

    Returns the last state, on the host, and totals: images and steps from the very
    start, seconds of this one, and its images per second without the first step, which
    compiles (None if there were fewer than two). Raises InputError if the loss is no
    longer a number.
    """
    here, batch_size = drive.here(), plan.batch_size
    with open_checkpoints(folder / "checkpoints") as checkpoints:
        first = first_state(plan)
        found = restore_state(checkpoints, first)
        state = first if found is None else found
        done = int(state.step)
        if here.process == 0:
            rewind_metrics(folder, done)
        clock = [time.monotonic()]
        saved = began = clock[0]
        steps = train_steps(
            plan,
            examples.images,
            examples.labels,
            indices=examples.indices,
            state=state,
        )
        bar = drive.progress_bar(
            total=plan.epochs * (len(examples.labels) // batch_size) * batch_size,
            done=done * batch_size,
            description="train",
            hidden=hidden,
        )
        for progress in steps:
            _show(bar, progress, batch_size)
            clock = [*clock[:2], time.monotonic()]
            epoch_ends = progress.step % progress.steps_per_epoch == 0
            due = (
                progress.step == progress.steps
                or (checkpoint_every and progress.step % checkpoint_every == 0)
                or (epoch_ends and here.processes > 1)
                or (clock[-1] - saved > _CHECKPOINT_SECONDS and here.processes == 1)
            )
            if not (epoch_ends or due):
                continue
            state = progress.state()
            if not math.isfinite(state.totals.loss):
                raise InputError(
                    f"the loss is {float(state.totals.loss)} after {progress.step} "
                    "steps: lower `learning_rate` or set `clip`, and name another `out`"
                )
            if epoch_ends and here.process == 0:
                at_step = plan.schedule and float(plan.schedule(progress.step - 1))
                line = epoch_line(
                    state.totals._asdict(),
                    step=progress.step,
                    steps_per_epoch=progress.steps_per_epoch,
                    learning_rate=at_step,
                    seconds=round(time.monotonic() - began, 3),
                )
                append_metrics(folder, line)
            if epoch_ends:
                began = time.monotonic()
            if due:
                save_state(checkpoints, state)
                saved = time.monotonic()
        bar.close()
    finished = int(state.step)
    later, rate = (finished - done - 1) * batch_size, None
    if later > 0:
        rate = round(later / (clock[-1] - clock[1]), 3)
    return state, {
        "images": finished * batch_size,
        "seconds": round(clock[-1] - clock[0], 3),
        "images_per_second": rate,
        "steps": finished,
    }


def _show(bar: tqdm, progress: Progress, batch_size: int) -> None:
    """Moves the bar; the signals shown are those of the step before, which is done."""
    if not bar.disable and time.time() - bar.last_print_t >= bar.mininterval:
        loss, clean, robust = (float(value) for value in progress.signal)
        text = f"step {progress.step}/{progress.steps} loss {loss:.4f}"
        text += "" if math.isnan(clean) else f" clean {clean:.2f}"
        text += "" if math.isnan(robust) else f" robust {robust:.2f}"
        bar.set_postfix_str(text, refresh=False)
    bar.update(batch_size)
