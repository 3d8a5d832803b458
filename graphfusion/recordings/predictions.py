"""Predictions as a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphfusion.models.task import chosen
from graphfusion.recordings.table import Utterance

if TYPE_CHECKING:
    import pandas as pd

#: The columns besides the classes'.
COLUMNS = ("predicted", "start", "end", "speaker", "text", "conversation", "absent")


def to_frame(
    rows: Sequence[Utterance],
    results: Mapping[int, Any],
    absent: Mapping[int, str],
    class_names: Sequence[str],
    task: str,
) -> "pd.DataFrame":
    """A row per utterance.

    Args:
        rows: The utterances.
        results: Each one's prediction, by row number, as of :meth:`ConversationModel.predict`.
        absent: What each one lacked and why, by row number.
        class_names: Of the classes, whose columns have these names, or "class NAME" where another
            column has it.
        task: "classification", "multilabel" (`predicted` has all above 0.5, joined by "+") or
            "regression" (`predicted` is the score, where there is one).
    """
    import pandas as pd

    columns = class_columns(class_names, task)
    return pd.DataFrame(
        [
            {
                "predicted": _predicted(results[each.row], task),
                **{column: results[each.row][name] for name, column in columns.items()},
                "start": each.start,
                "end": each.end,
                "speaker": each.speaker,
                "text": each.text,
                "conversation": each.conversation,
                "absent": absent[each.row],
            }
            for each in rows
        ]
    )


def class_columns(class_names: Sequence[str], task: str) -> dict[str, str]:
    """The column of each class; of a task of one score, which is `predicted`, none."""
    if task == "regression" and len(class_names) == 1:
        return {}
    return {name: f"class {name}" if name in COLUMNS else name for name in class_names}


def _predicted(result: Any, task: str) -> Any:
    if not isinstance(result, dict):
        return result
    if task == "multilabel":
        return chosen(result)
    return None if task == "regression" else max(result, key=result.__getitem__)
