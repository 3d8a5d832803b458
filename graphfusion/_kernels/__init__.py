"""Forms of PyTorch's modules that train faster on a CPU."""
