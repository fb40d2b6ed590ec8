"""Asking a classifier that is not at hand: over HTTP, as a program, as a function.

    classifier = query.open_classifier("https://host/path")
    access = query.query_access(classifier.ask, name=classifier.name, num_classes=10)
    labels = query.answer(access, images)

Answers to noisy images are kept in a log, so that no sample is paid for twice.
"""

from mspd_jax.query._access import Access, answer, answer_batches, query_access
from mspd_jax.query._command import command_classifier
from mspd_jax.query._http import http_classifier
from mspd_jax.query._log import (
    QueryLog,
    logged_labels,
    memory_query_log,
    open_query_log,
)
from mspd_jax.query._open import open_classifier, python_classifier
from mspd_jax.query._protocol import Classifier

__all__ = [
    "Access",
    "Classifier",
    "QueryLog",
    "answer",
    "answer_batches",
    "command_classifier",
    "http_classifier",
    "logged_labels",
    "memory_query_log",
    "open_classifier",
    "open_query_log",
    "python_classifier",
    "query_access",
]
