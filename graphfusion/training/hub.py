"""Upload of trained models to the Hugging Face Hub, with a model card."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

from graphfusion._utils.extras import require
from graphfusion.training.comparison import percent, table
from graphfusion.training.run import MODEL, Run, about_model

_SEVERAL = " (several at once, or none)"
_LIMITS = """\
The model is meant for conversations like those of the data set, with features extracted in the same
way. Labels are annotators' judgements of what a speaker expressed, not of what the speaker felt. Do
not use predictions to make decisions about people."""


def push_to_hub(runs: Sequence[Run], repository: str, private: bool | None = None) -> str:
    """Uploads the model of the first run, with a model card about all runs.

    Authentication is by `hf auth login`, or the environment variable `HF_TOKEN`.

    Args:
        runs: Runs of one model with different seeds.
        repository: "user/name"; created if it does not exist.
        private: Whether a new repository is private; None: the Hub's default.

    Returns:
        The URL of the commit.

    Raises:
        ImportError: If huggingface_hub is not installed.
        OSError: If the repository cannot be reached or written.
    """
    require("hub", "upload a model")
    import huggingface_hub

    client = huggingface_hub.HfApi()
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder, "content")
        copytree(runs[0].folder / MODEL, content)
        (content / "README.md").write_text(model_card(runs, repository), encoding="utf-8")
        client.create_repo(repository, private=private, exist_ok=True)
        commit = client.upload_folder(
            repo_id=repository, folder_path=content, commit_message="A model of graphfusion"
        )
    return str(commit.commit_url)


def model_card(runs: Sequence[Run], repository: str) -> str:
    """Returns a model card in Markdown, with the Hub's metadata.

    Args:
        runs: Runs of one model with different seeds.
        repository: "user/name", for the title and the example.

    Raises:
        ImportError: If huggingface_hub is not installed.
    """
    require("hub", "write a model card")
    import huggingface_hub

    first = runs[0]
    data, about = first.config["data"], about_model(first.folder / MODEL)
    name, source = repository.rpartition("/")[2], data["source"] or "unnamed"
    strict = first.result.get("strict", {})
    metadata = huggingface_hub.ModelCardData(
        library_name="graphfusion",
        tags=["emotion-recognition-in-conversation", "multimodal", "graph-neural-networks"],
        model_name=name,
        eval_results=[
            huggingface_hub.EvalResult(
                task_type="other",
                dataset_type="other",
                dataset_name=source,
                metric_type=metric,
                metric_value=value,
            )
            for metric, value in strict.items()
        ]
        or None,
    )
    modalities = [
        f"| {modality} | {size} | {about['extractors'].get(modality, 'not known')!s:.200} |"
        for modality, size in data["in_channels"].items()
    ]
    scores = (
        percent(table({name: runs})).to_markdown(disable_numparse=True)
        if strict
        else "No test conversations."
    )
    sections = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# {name}",
        f"A `{first.config['model']['class']}` of graphfusion.",
        "```python\nfrom graphfusion import MMDFN\n\n"
        f'model = MMDFN.from_pretrained("{repository}", revision="main")\n'
        "model.predict(conversation)\n```",
        "## Data",
        f"{source} (fingerprint {data['fingerprint']}): {data['splits']}. "
        f"Classes{_SEVERAL if first.task == 'multilabel' else ''}: "
        f"{', '.join(data['classes']) or 'none; it predicts a score'}.",
        "| modality | size | extractor |\n|---|---|---|\n" + "\n".join(modalities),
        "## Scores",
        "In percent, mean ± standard deviation over seeds. *strict*: the epoch was chosen on "
        "held-out conversations; *legacy*: by its test score. The weights are those of seed "
        f"{first.config['seed']} at the strict epoch.",
        scores,
        "## Limits",
        _LIMITS,
    ]
    return "\n\n".join(sections) + "\n"
