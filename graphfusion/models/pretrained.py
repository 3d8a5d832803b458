"""Modules that are saved to a folder, and loaded from it or from the Hugging Face Hub."""

from abc import abstractmethod
from collections.abc import Mapping
from os import PathLike
from typing import Any, Self

import torch

from graphfusion._utils.constants import check_as_configured
from graphfusion.models import hub, saved


class PretrainedModule(torch.nn.Module):
    """A module with `save_pretrained` and `from_pretrained`.

    A subclass overrides `in_channels`, and `config`, from which it is built again.
    """

    _extractors: Mapping[str, Mapping[str, Any]] = {}

    @property
    @abstractmethod
    def in_channels(self) -> dict[str, int]:
        """The size of each modality's features, by name."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The constructor's arguments by name, as JSON has them, without the parts."""

    @property
    def extractors(self) -> Mapping[str, Mapping[str, Any]]:
        """Extractors of the features of each modality in training, described as in a corpus.

        They are saved with the model.

        Raises:
            TypeError: If they are set to anything but a mapping of mappings.
            ValueError: If one is set for a modality that the model does not have.
        """
        return self._extractors

    @extractors.setter
    def extractors(self, value: Mapping[str, Mapping[str, Any]]) -> None:
        if not isinstance(value, Mapping) or not all(
            isinstance(v, Mapping) for v in value.values()
        ):
            raise TypeError(f"extractors must map modalities to objects, but got {value!r:.200}.")
        if unknown := [name for name in value if name not in self.in_channels]:
            raise ValueError(
                f"extractors must name some of {list(self.in_channels)}, but got {unknown}."
            )
        self._extractors = value

    @classmethod
    def from_pretrained(
        cls, folder: str | PathLike[str], revision: str | None = None, **parts: Any
    ) -> Self:
        """Loads a model that :meth:`save_pretrained` wrote, on the CPU.

        It is in evaluation mode, in the dtype in which it was saved. No code from the folder is
        run.

        Args:
            folder: The path of a folder; with `revision`, a repository of the Hugging Face Hub,
                "user/name".
            revision: A branch, tag or commit of that repository. Without it nothing is downloaded.
            **parts: Arguments of the constructor that a folder does not hold: the four parts, built
                as they were for training, unless the class builds them itself, as :class:`MMDFN`
                does.

        Raises:
            ImportError: If safetensors, or for a repository huggingface_hub, is not installed.
            FileNotFoundError: If the folder has no model.
            ValueError: If anything in its files is wrong, or does not fit the parts.
        """
        return saved.load(cls, hub.opened(folder, revision), parts)

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Saves the model with its statistics, class names and extractors.

        The weights go to `model.safetensors`, the arguments and extractors to `config.json`. An
        interrupted save leaves the old model or the new one.

        Args:
            folder: The path of a folder, made if need be.

        Raises:
            ImportError: If safetensors is not installed.
            OSError: If a file cannot be written.
            TypeError: If a subclass's constructor has an argument that its `config` lacks.
            ValueError: If the class builds its own parts, and one was replaced, or a number in it.
        """
        check_as_configured(self)
        saved.save(folder, type(self), self.config, self.extractors, self.state_dict())
