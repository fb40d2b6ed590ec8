"""Two processes of four devices each train one model, with one set of files."""

import json
import os
import socket
import subprocess
import sys
import textwrap

import pytest

CODE = """
    import json, pathlib, sys
    import jax, numpy as np
    port, process, folder = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])
    jax.distributed.initialize(f"localhost:{port}", 2, process)
    jax.config.update("jax_default_matmul_precision", "highest")
    from mspd_jax import train
    images = np.random.default_rng(0).random((80, 8, 8, 1), np.float32)
    labels = (images.mean((1, 2, 3)) * 30).astype(np.int32) % 3
    examples = train.Examples(images, labels, np.arange(80), 3)
    plan = train.plan_training(
        examples,
        train.start_of(examples, arch="small_cnn", arch_options={"widths": [4]}),
        train.objective("none"),
        epochs=2, batch_size=32, learning_rate=0.1, augment="flip")
    *_, last = train.train_steps(
        plan, images, labels, devices=jax.local_devices()[:1])
    alone = last.state()
    def close(x, y):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
    together, _ = train.run_training(
        folder, plan, examples, checkpoint_every=3, hidden=True)
    jax.tree.map(close, alone, together)
    # Everything is done: what comes back is what was saved.
    again, _ = train.run_training(folder, plan, examples, hidden=True)
    jax.tree.map(np.testing.assert_array_equal, together, again)
    print(json.dumps({"devices": jax.device_count(), "step": int(again.step)}))
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_device_learns(tmp_path):
    """Up to rounding: sums over the batch are taken in another order."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CODE), str(port), str(i), tmp_path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for i in range(2)
    ]
    for process in processes:
        said, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors[-3000:]
        assert json.loads(said.splitlines()[-1]) == {"devices": 8, "step": 4}
    steps = {p.name for p in (tmp_path / "checkpoints").iterdir() if p.name.isdigit()}
    assert steps == {"3", "4"}
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
