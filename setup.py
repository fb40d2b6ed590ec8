"""Packaging of mspd_jax: the library (`mspd_jax`) and its launch mains (`launch`)."""

import pathlib

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent

setup(
    name="mspd_jax",
    version="0.2.0",
    description="Preemptive adversarial defense in JAX: protect images before release",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["mspd_jax", "mspd_jax.*", "launch", "launch.*"]),
    entry_points={"console_scripts": ["mspd = launch.mspd:main"]},
    package_data={
        "mspd_jax": [
            "data/*.npz",
            "models/conversion/*.csv",
            "models/zoo/**/*",
            "pictures/*.jpg",
        ]
    },
    install_requires=(HERE / "requirements.txt").read_text(encoding="utf-8").split(),
    extras_require={
        "test": ["mypy>=1.11", "pytest>=8", "pytest-xdist>=3.5", "ruff>=0.6"],
        # Conversion of .pt/.pth/.th files, parity tests, the speed comparison.
        "torch": ["torch>=2.6"],
        # Networks of PyTorch and ONNX as they are.
        "bridge": ["torch>=2.6", "onnx>=1.16"],
        # Pictures of phones, HEIC and HEIF.
        "heic": ["pillow-heif>=0.20"],
        # The page in the browser.
        "studio": ["gradio>=6"],
        # Sources, checkpoints and runs in object stores, gs:// and s3://.
        "gcs": ["gcsfs>=2024.10"],
        "s3": ["s3fs>=2024.10"],
        # Engines of sweeps.
        "ray": ["ray>=2.40"],
        "slurm": ["submitit>=1.5"],
        # What runs notebooks/, in an editor or in the tests.
        "notebooks": ["ipykernel>=6.29", "nbclient>=0.10"],
        # The site of docs/: mkdocs serve.
        "docs": [
            "latex2mathml>=3.77",
            "mkdocs-material>=9.5",
            "mkdocstrings[python]>=0.28",
            "ruff>=0.6",
        ],
        "cuda": ["jax[cuda12]"],
        "tpu": ["jax[tpu]"],
    },
)
