"""The contracts that every module here holds to, for yours to be held to as well.

A fusion layer of your own, `fusion(x [U, M, C], graph) -> [U, M, D]`, in one line:

>>> from graphfusion import DynamicFusion
>>> from graphfusion.testing import check_fusion
>>> check_fusion(DynamicFusion(in_channels=8, hidden_channels=4, num_layers=2))

or a contract at a time, on a batch of your own. A contract that is broken is an `AssertionError`
that names it, the batch and the numbers. Strategies that draw batches for property tests are in
`graphfusion.testing.strategies`, which needs the extra "testing".
"""

from graphfusion.testing.batches import RaggedBatch, odd_batches
from graphfusion.testing.checks import check_encoder, check_fusion, check_model
from graphfusion.testing.contracts import (
    assert_batch_independent,
    assert_compiles,
    assert_finite,
    assert_ignores_absent,
    assert_not_mutating,
    assert_permutation_equivariant,
    assert_shape_and_dtype,
)

__all__ = [
    "RaggedBatch",
    "assert_batch_independent",
    "assert_compiles",
    "assert_finite",
    "assert_ignores_absent",
    "assert_not_mutating",
    "assert_permutation_equivariant",
    "assert_shape_and_dtype",
    "check_encoder",
    "check_fusion",
    "check_model",
    "odd_batches",
]
