"""The parts of an experiment: data, recipes, models, training, reports and pictures."""

from graphfusion._utils.extras import require

require("train", "run experiments")
