"""Asking a classifier that one does not hold: over HTTP, as a program, as a function.

Answers are kept in a log, so that no sample is paid for twice.
"""

from mspd_jax.query._access import Access, answer, answer_batches, query_access
from mspd_jax.query._command import command_classifier
from mspd_jax.query._http import http_classifier
from mspd_jax.query._log import (
    MISSING,
    QueryLog,
    digest_of,
    known_labels,
    memory_query_log,
    note_labels,
    open_query_log,
    what_differs,
)
from mspd_jax.query._open import open_classifier, python_classifier
from mspd_jax.query._protocol import Classifier

__all__ = [
    "Access",
    "Classifier",
    "MISSING",
    "QueryLog",
    "answer",
    "answer_batches",
    "command_classifier",
    "digest_of",
    "http_classifier",
    "known_labels",
    "memory_query_log",
    "note_labels",
    "open_classifier",
    "open_query_log",
    "python_classifier",
    "query_access",
    "what_differs",
]
