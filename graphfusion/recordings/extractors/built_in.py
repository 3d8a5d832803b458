"""The base of the built-in extractors, which a model's folder can name."""

from importlib.metadata import version

from graphfusion.recordings.fingerprint import Fingerprint, constructor_arguments


class BuiltIn:
    """Base class of extractors that are created again from their fingerprints.

    Args:
        packages: The distributions that compute the vectors, whose versions are recorded.
        options: The arguments of the constructor, except for the model.
        **model: The `model`, its `revision`, and the checksum `sha256`, if there is a model.
    """

    def __init__(
        self, packages: tuple[str, ...], options: dict[str, str | int], **model: str | None
    ) -> None:
        self.fingerprint: Fingerprint = {
            "extractor": type(self).__name__,
            "options": options,
            "versions": {name: version(name) for name in packages},
            **model,
        }

    def __repr__(self) -> str:
        arguments = constructor_arguments(self.fingerprint).items()
        listed = ", ".join(f"{name}={value!r}" for name, value in arguments)
        return f"{type(self).__name__}({listed})"
