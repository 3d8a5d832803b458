"""Contract tests for fusion layers, encoders and models.

:class:`~graphfusion.DynamicFusion`, the encoders and the models pass them. So does
:class:`~graphfusion.ConvFusion`, unless its convolutions read edge types, which depend on the order
of utterances, or hyperedges, which do not compile. To test your own fusion layer,
`fusion(x [U, M, C], graph) -> [U, M, D]`, call:

>>> from graphfusion import DynamicFusion
>>> from graphfusion.testing import check_fusion
>>> check_fusion(DynamicFusion(in_channels=8, hidden_channels=4, num_layers=2))

The `assert_...` functions test a single contract, on your own batch. A broken contract raises an
`AssertionError` that names the contract, the batch and the values. `graphfusion.testing.strategies`
has Hypothesis strategies that draw batches, and needs the extra "testing".
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
