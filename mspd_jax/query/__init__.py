"""Asking a classifier that is not at hand: over HTTP, as a program, as a function.

    classifier = query.open_classifier("https://host/path")
    access = query.query_access(classifier.ask, name=classifier.name, num_classes=10)
    labels = query.answer(access, images)

Answers to noisy images are kept in a log, so that no sample is paid for twice.
"""

from mspd_jax.query._access import Access as Access
from mspd_jax.query._access import answer, query_access
from mspd_jax.query._http import http_classifier
from mspd_jax.query._log import QueryLog as QueryLog
from mspd_jax.query._log import logged_labels as logged_labels
from mspd_jax.query._log import open_query_log as open_query_log
from mspd_jax.query._open import open_classifier
from mspd_jax.query._own_function import own_function as own_function
from mspd_jax.query._protocol import Classifier

# What users call; other rooms may import the rest.
__all__ = [
    "Classifier",
    "answer",
    "http_classifier",
    "open_classifier",
    "query_access",
]
