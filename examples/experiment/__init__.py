"""The parts of an experiment: data, recipes, models, training, reports and pictures."""

from graphfusion._extras import require

require("train", "run experiments")
