"""The programs of every job lower for accelerators on a machine that has none."""

import dataclasses
import functools

import jax
import pytest

from mspd_jax import data, drive, jobs, models
from mspd_jax.convolution import _onednn as onednn
from mspd_jax.errors import InputError
from tests.jobs.pictures import photo

ACCELERATORS = ("cuda", "tpu")


def model(architecture="small_cnn", *, size=8, channels=1, seed=0, **options):
    if architecture == "small_cnn":
        options = {"widths": [4]} | options
    shape, mean, std = (size, size, channels), (0.5,) * channels, (0.3,) * channels
    spec = models.ModelSpec(architecture, options, mean, std, 3, shape, {})
    if models.gives_images(spec):
        mean, std = models.default_normalization(architecture, channels)
        spec = spec._replace(mean=mean, std=std, num_classes=0)
    return models.create_model(jax.random.key(seed), spec)


@functools.cache
def source(size=8, channels=1):
    key = jax.random.key(0)
    images = jax.random.uniform(key, (8, size, size, channels))
    return data.from_arrays(jax.device_get(images), [0, 1, 2, 0, 1, 2, 0, 1])


def images(size=8, **fields):
    return {"source": source(size), **fields}


def texts(job):
    found = jobs.lowered(job, *ACCELERATORS)
    assert all(one.platforms == ACCELERATORS for one in found.values())
    said = {name: one.mlir_module() for name, one in found.items()}
    for text in said.values():
        assert "onednn" not in text and "lapack" not in text
    return said


def evaluate(attack, **fields):
    fields = images(eps=0.1, attack=attack, check_images=0) | fields
    return jobs.Evaluate(**{"target": model()} | fields)


def certify(method, **fields):
    return jobs.Certify(**images(target=model()) | {"method": method} | fields)


def classifier(**fields):
    options = {"arch": "small_cnn", "arch_options": {"widths": [4]}, "batch_size": 4}
    return jobs.TrainClassifier(**images() | options | fields)


def test_protection_convolves_as_the_accelerator_does():
    job = jobs.Protect(**images(surrogate=model(), eps=0.1, samples=4))
    (text,) = texts(job).values()
    assert "stablehlo.convolution" in text
    # 2048 images of four draws at once, as suits an accelerator; on a CPU it is four.
    assert "tensor<8192x8x8x1xf32>" in text and job.programs()[0].rows[0].size == 4


def test_pictures_of_all_sizes():
    surrogate = model(channels=3)
    job = jobs.ProtectPictures(
        source="nowhere", surrogate=surrogate, samples=8, survive=("jpeg:75-95",)
    )
    names = {"views of 1", "views of 2", "slopes", "steps"}
    assert texts(job).keys() == names


def test_the_programs_of_pictures_are_those_that_run(tmp_path):
    surrogate = model(channels=3)
    photo(tmp_path / "photos" / "a.png", size=(33, 50))
    job = jobs.ProtectPictures(
        source=str(tmp_path / "photos"), surrogate=surrogate, samples=4
    )
    functions = {p.function for p in job.programs()}
    for function in functions:
        function.clear_cache()
    job.run(tmp_path / "out")
    counts = {f: f._cache_size() for f in functions}
    jobs.compiled(job)
    dataclasses.replace(job, seed=1, eps=0.1).run(tmp_path / "other")
    assert {f: f._cache_size() for f in functions} == counts


def test_evaluation():
    assert set(texts(evaluate("pgd-2"))) == {"clean", "pgd-2"}


def test_certificates_under_noise():
    texts(certify(jobs.Smoothing(sigma=0.25, samples=100)))


def test_training():
    assert set(texts(classifier())) == {"example_keys", "train"}


@pytest.mark.slow
def test_large_images_are_not_trained_on_by_a_library_for_cpus():
    big = classifier(source=source(32), arch_options={"widths": [24, 32]}, batch_size=8)
    step = big.programs()[1]
    # No cache keeps such a program: a run compiles it anew.
    assert step.compile() == (not onednn.available())
    texts(big)


SLOW = {
    "revert": lambda: jobs.Revert(**images(surrogate=model(), eps=0.1, samples=4)),
    "revert_in_rounds": lambda: jobs.Revert(
        **images(surrogate=model(), eps=0.1, samples=4, rounds=2),
        more_surrogates=(model(seed=1),),
    ),
    "bilevel": lambda: jobs.Protect(
        **images(surrogate=model(), eps=0.1, method="bilevel")
    ),
    "l2": lambda: jobs.Protect(
        **images(surrogate=model(), labeler=model(), eps=0.5, norm="l2", samples=4)
    ),
    "winograd, depthwise": lambda: jobs.Protect(
        **images(surrogate=model("efficientnet_b0", size=32, channels=3), eps=0.1)
        | {"source": source(32, 3)}
    ),
    "winograd": lambda: jobs.Protect(
        **images(surrogate=model("preact_resnet18", size=32, channels=3), eps=0.1)
        | {"source": source(32, 3)}
    ),
    "a transformer": lambda: jobs.Protect(
        **images(surrogate=model("xcit_small_12_p4", size=32, channels=3), eps=0.1)
        | {"source": source(32, 3)}
    ),
    "autoattack": lambda: evaluate("autoattack-plus"),
    "autoattack, l1": lambda: evaluate("autoattack", norm="l1", eps=3.0),
    "autoattack, draws": lambda: evaluate(
        "autoattack-rand", norm="l2", defense="resize:0.9"
    ),
    "others": lambda: evaluate(
        "fgsm,ffgsm,bim,mim,di-mim,ti-mim,si-mim,ni-mim,vmi-mim,cw,deepfool,malt,"
        "spsa-2,fab,apgd-dlr,transfer:pgd-2",
        surrogate=model(),
    ),
    "defenses": lambda: evaluate("pgd-2", defense="gcm,jpeg-soft:75,bits:4"),
    "purifiers": lambda: evaluate("pgd-2", defense="gaussian:0.8,median:3,tv:0.03"),
    "given": lambda: evaluate("none", eps=0.1, adversarial=source()),
    "denoised": lambda: certify(
        jobs.Denoised(
            sigma=0.25, samples=100, denoiser=model("dncnn"), force_sigma=True
        )
    ),
    "shared samples": lambda: certify(jobs.Smoothing(sigma=0.25, split="samples")),
    "scalecert": lambda: certify(
        jobs.ScaleCert(
            patch=2, keep=0.5, cut="layer0", windows=2, attacks=PATCH_ATTACKS
        )
    ),
    "minority": lambda: certify(jobs.Minority(patch=2, attacks=PATCH_ATTACKS)),
    "patchcleanser": lambda: certify(jobs.PatchCleanser(patch=2, windows=2)),
    **{
        f"training, {kind}": functools.partial(
            classifier, adversarial=kind, eps=0.1, eval_source=source()
        )
        for kind in ("fgsm", "fgsm_regularized", "pgd", "trades")
    },
    "training, noise": lambda: classifier(noise=0.2, eval_source=source(), clip=1.0),
    "training, hidden": lambda: classifier(occlude=2, optimizer="adamw", ema=0.9),
    "training, hidden inside": lambda: classifier(
        occlude=2, occlude_at="layer0", keep=(0.5,)
    ),
    **{
        f"denoiser, {objective}": functools.partial(
            jobs.TrainDenoiser,
            source=source(),
            eval_source=source(),
            sigma=0.25,
            batch_size=4,
            objective=objective,
            classifier=(model(),) if objective != "mse" else (),
            arch="dncnn",
        )
        for objective in ("mse", "stab", "clf")
    },
    "restoration": lambda: jobs.TrainTRN(
        source=source(), classifier=model(), eps=0.1, batch_size=4, eval_source=source()
    ),
}
PATCH_ATTACKS = jobs.PatchAttacks(attack=("pgd",), attack_steps=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW)
def test_all_kinds(kind):
    assert texts(SLOW[kind]())
    # The same job, made anew, is served by the same programs.
    assert_alike(SLOW[kind](), dataclasses.replace(SLOW[kind](), seed=1))


def test_a_real_codec_is_refused_in_one_line():
    job = evaluate("none", defense="jpeg:75")
    with pytest.raises(InputError, match="^clean: a function of the host in its midst"):
        jobs.lowered(job, "cuda")


def test_an_unknown_platform_is_refused():
    with pytest.raises(InputError, match="platform 'gpu': expected one of cpu, cuda"):
        jobs.lowered(evaluate("none"), "gpu")


def test_what_bfloat16_reaches_and_what_it_does_not():
    options = {"eps": 0.1, "precision": "bfloat16"}
    job = evaluate("pgd-2", **options)
    clean, attacked = (str(lowering(program)) for program in job.programs())
    assert "bf16" not in clean and "bf16" in attacked
    # The verdict is of float32: one convolution of a forward pass.
    assert attacked.count("dense_convolution[") == 1


@pytest.mark.slow
def test_labels_of_a_protection_in_bfloat16_are_of_float32():
    options = {"eps": 0.1, "precision": "bfloat16"}
    labeled = jobs.Protect(**images(surrogate=model(), samples=1, **options))
    text = str(lowering(labeled.programs()[0]))
    assert "bf16" in text and text.count("dense_convolution[") == 1


def lowering(program):
    return program.function.trace(*program.held, *program.rows).jaxpr


@pytest.mark.parametrize(
    "job",
    [
        lambda n: jobs.Protect(
            **images(surrogate=model(seed=n), eps=0.1 + n / 9, learning_rate=1.0 + n),
            seed=n,
        ),
        lambda n: evaluate(
            "pgd-2,square-3", target=model(seed=n), eps=0.1 + n / 9, seed=n
        ),
        lambda n: certify(
            jobs.Smoothing(sigma=0.25 + n, samples=100, alpha=0.01 / (n + 1)),
            target=model(seed=n),
            seed=n,
        ),
        lambda n: certify(
            jobs.ScaleCert(
                patch=2, keep=0.5, cut="layer0", windows=2, confidence=n / 9
            ),
            target=model(seed=n),
        ),
        lambda n: classifier(
            init=model(seed=n),
            arch=None,
            arch_options="{}",
            learning_rate=0.1 + n,
            weight_decay=0.1 + n,
            clip=1.0 + n,
            seed=n,
            adversarial="pgd",
            eps=0.1 + n / 9,
        ),
    ],
    ids=["protect", "evaluate", "certify", "patches", "train_classifier"],
)
def test_other_numbers_and_weights_compile_nothing(job):
    assert_alike(*(job(n) for n in range(2)))


def assert_alike(job, other):
    programs = job.programs()
    assert len(drive.distinct(programs + other.programs())) == len(programs)
