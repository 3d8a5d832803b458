"""Converts predictions to a pandas frame."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphfusion.models.task import chosen
from graphfusion.recordings.table import Utterance

if TYPE_CHECKING:
    import pandas as pd

#: The columns besides those of the classes.
COLUMNS = ("predicted", "start", "end", "speaker", "text", "conversation", "absent")


def to_frame(
    rows: Sequence[Utterance],
    results: Mapping[int, Any],
    absent: Mapping[int, str],
    class_names: Sequence[str],
    task: str,
) -> "pd.DataFrame":
    """Creates a pandas frame of predictions, with one row per utterance.

    Args:
        rows: The utterances.
        results: `{row: prediction}`, see :meth:`ConversationModel.predict`.
        absent: `{row: reasons}`, the absent modalities and why.
        class_names: The names of the classes, which are column names. A name that another column
            has becomes "class NAME".
        task: "classification"; "multilabel", where `predicted` joins all classes above 0.5 by "+";
            or "regression", where `predicted` is the score if there is only one.
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
    """Returns `{class: column}`; empty for a single score, whose column is `predicted`."""
    if task == "regression" and len(class_names) == 1:
        return {}
    return {name: f"class {name}" if name in COLUMNS else name for name in class_names}


def _predicted(result: Any, task: str) -> Any:
    if not isinstance(result, dict):
        return result
    if task == "multilabel":
        return chosen(result)
    return None if task == "regression" else max(result, key=result.__getitem__)
