"""Chapter 03: the λ dial, and dropout as a committee."""

from companion.explorables.dropout_committee import compute_dropout_committee, dropout_committee
from companion.explorables.lambda_dial import compute_lambda_dial, lambda_dial

__all__ = [
    "compute_dropout_committee",
    "compute_lambda_dial",
    "dropout_committee",
    "lambda_dial",
]
