"""The objects that the tests write."""

from typing import Any

Object = dict[str, Any]
MODEL = "mistralai/Mistral-7B-Instruct-v0.1"


def board(name: str = "executive", **spec: Any) -> Object:
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "Boardroom",
        "metadata": {"name": name},
        "spec": {"model": {"id": MODEL}} | spec,
    }


def agent(role: str, board_name: str = "executive", *, name: str | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "BoardAgent",
        "metadata": {"name": name or role.lower()},
        "spec": {"boardroomRef": {"name": board_name}, "role": role} | spec,
    }
