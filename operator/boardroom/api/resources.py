"""Whole objects, from the API server or from a file (manifest.py)."""

from pydantic import Field

from boardroom.api.boardagent import BoardAgentSpec
from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.membership import Candidate
from boardroom.api.model import Model
from boardroom.api.status import BoardAgentStatus, BoardroomStatus


class Metadata(Model):
    """The fields of metadata that the operator reads."""

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
        """The agent as a candidate for membership."""
        return Candidate(name=self.metadata.name, created=self.metadata.creation_timestamp, spec=self.spec)
