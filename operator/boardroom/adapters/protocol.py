"""What the coordinator asks the sidecar to have: the body of PUT /v1/sources."""

from pydantic import Field, ValidationError, model_validator

from boardroom.api.adapter import HuggingFaceSource, S3Source, Source
from boardroom.api.model import Model, problems

MAX_SOURCES = 512


class DesiredSource(Model):
    """One source, as a BoardAgent's spec.adapter says it."""

    hugging_face: HuggingFaceSource | None = None
    s3: S3Source | None = None

    @model_validator(mode="after")
    def _one(self) -> "DesiredSource":
        if (self.hugging_face is None) == (self.s3 is None):
            raise ValueError("give one of huggingFace and s3")
        return self

    @classmethod
    def of(cls, source: Source) -> "DesiredSource":
        """The same source in this form."""
        if isinstance(source, S3Source):
            return cls(s3=source)
        return cls(hugging_face=source)

    @property
    def source(self) -> Source:
        """The one that is given."""
        found = self.hugging_face or self.s3
        assert found is not None  # noqa: S101 (the validator's promise)
        return found


class DesiredSources(Model):
    """The whole list; putting it again changes nothing."""

    sources: tuple[DesiredSource, ...] = Field(default=(), max_length=MAX_SOURCES)
    keep: tuple[str, ...] = Field(default=(), max_length=2 * MAX_SOURCES)
    """Directories that are in use though no source leads to them any more."""
    max_bytes: int = Field(ge=1)
    """Most that one adapter may weigh."""

    @classmethod
    def read(cls, body: bytes) -> "DesiredSources":
        """Raises ValueError that names the field."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise ValueError(problems(error)) from error
