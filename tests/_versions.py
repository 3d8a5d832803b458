"""What an older PyTorch cannot do; docs/reference/versions.md has the same table."""

import pytest
import torch


def needs_torch(version: str, feature: str) -> pytest.MarkDecorator:
    """Skips a test of a feature where PyTorch is older than that needs."""
    here = torch.__version__
    reason = f"{feature} needs PyTorch {version}, and this is {here}"
    return pytest.mark.skipif(here < version, reason=reason)
