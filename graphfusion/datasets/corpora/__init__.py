"""Published data sets, one class each."""
