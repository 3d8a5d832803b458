"""Upload of trained models to the Hugging Face Hub, with a model card."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from shutil import copytree

from graphfusion._utils.extras import require
from graphfusion.training.comparison import percent, table
from graphfusion.training.run import MODEL, Run, read_json


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
    data, strict = first.config["data"], first.result.get("strict", {})
    name, source = repository.rpartition("/")[2], data["source"] or "unnamed"
    scores = "No test conversations."
    if strict:
        scores = percent(table({name: runs})).to_markdown(disable_numparse=True)
    evaluated = [
        huggingface_hub.EvalResult("other", "other", source, metric, value)
        for metric, value in strict.items()
    ]
    metadata = huggingface_hub.ModelCardData(
        library_name="graphfusion",
        tags=["emotion-recognition-in-conversation", "multimodal", "graph-neural-networks"],
        model_name=name,
        eval_results=evaluated or None,
    )
    card = huggingface_hub.ModelCard.from_template(
        metadata,
        template_path=str(Path(__file__).with_name("model_card.md")),
        name=name,
        kind=first.config["model"]["class"],
        named=first.config["recipe"] is not None,
        repository=repository,
        source=source,
        data=data,
        several=first.task == "multilabel",
        extractors=read_json(first.folder / MODEL / "config.json").get("extractors", {}),
        seed=first.config["seed"],
        scores=scores,
    )
    return str(card)
