"""Whole objects as they come from the API server or from a file."""

import yaml
from pydantic import Field, ValidationError

from boardroom.api.admission import Candidate
from boardroom.api.boardagent import BoardAgentSpec
from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.meta import API_VERSION, BOARDAGENT, BOARDROOM
from boardroom.api.model import Model, problems
from boardroom.api.status import BoardAgentStatus, BoardroomStatus


class Metadata(Model):
    """The part of metadata that we read."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None


class Boardroom(Model):
    """A Boardroom object."""

    metadata: Metadata
    spec: BoardroomSpec
    status: BoardroomStatus = Field(default_factory=BoardroomStatus)


class BoardAgent(Model):
    """A BoardAgent object."""

    metadata: Metadata
    spec: BoardAgentSpec
    status: BoardAgentStatus = Field(default_factory=BoardAgentStatus)

    @property
    def candidate(self) -> Candidate:
        """The agent as it asks for a seat."""
        return Candidate(name=self.metadata.name, created=self.metadata.creation_timestamp, spec=self.spec)


class ManifestError(ValueError):
    """A file can't be read as a board; the message names the document, the field and the remedy."""


def read_manifest(text: str) -> tuple[list[Boardroom], list[BoardAgent]]:
    """The boards and agents in a YAML stream, as strict as the API server about fields; other kinds are skipped."""
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise ManifestError(f"not YAML: {error}") from error
    boards: list[Boardroom] = []
    agents: list[BoardAgent] = []
    for number, document in enumerate(documents, start=1):
        if not isinstance(document, dict) or document.get("apiVersion") != API_VERSION:
            continue
        name = (document.get("metadata") or {}).get("name", f"document {number}")
        try:
            if document.get("kind") == BOARDROOM:
                spec = BoardroomSpec.strict(document.get("spec"))
                boards.append(Boardroom(metadata=Metadata.model_validate(document["metadata"]), spec=spec))
            elif document.get("kind") == BOARDAGENT:
                member = BoardAgentSpec.strict(document.get("spec"))
                agents.append(BoardAgent(metadata=Metadata.model_validate(document["metadata"]), spec=member))
        except ValidationError as error:
            raise ManifestError(f"{document.get('kind')} {name!r}: {problems(error, 'spec')}") from error
        except KeyError as error:
            raise ManifestError(f"{document.get('kind')} in document {number}: {error.args[0]} is missing") from error
    return boards, agents
