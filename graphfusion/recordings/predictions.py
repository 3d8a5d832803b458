"""Converts predictions to rows of a table."""

from collections.abc import Sequence
from typing import Any

from graphfusion.models.task import chosen
from graphfusion.recordings.table import Utterance

#: The columns besides those of the classes.
COLUMNS = ("predicted", "start", "end", "speaker", "text", "conversation", "absent")


def to_record(
    utterance: Utterance, result: Any, absent: str, columns: dict[str, str], task: str
) -> dict[str, Any]:
    """Returns the cells of an utterance's prediction by column.

    Args:
        utterance: The utterance.
        result: Its prediction, see :meth:`ConversationModel.predict`.
        absent: The absent modalities and why.
        columns: `{class: column}`, see :func:`class_columns`.
        task: "classification"; "multilabel", where `predicted` joins all classes above 0.5 by "+";
            or "regression", where `predicted` is the score if there is only one.
    """
    if not isinstance(result, dict):
        predicted = result
    elif task == "multilabel":
        predicted = chosen(result)
    else:
        predicted = None if task == "regression" else max(result, key=result.__getitem__)
    cells = {"predicted": predicted, **{column: result[name] for name, column in columns.items()}}
    cells |= {name: getattr(utterance, name) for name in COLUMNS[1:-1]}
    return {**cells, "absent": absent}


def class_columns(class_names: Sequence[str], task: str) -> dict[str, str]:
    """Returns `{class: column}`; a name that another column has becomes "class NAME".

    It is empty for a single score, whose column is `predicted`.
    """
    if task == "regression" and len(class_names) == 1:
        return {}
    return {name: f"class {name}" if name in COLUMNS else name for name in class_names}
