"""The parts of an experiment: data, recipes, models, training, reports and pictures."""
