"""Boards and members as `boardroom serve` reads them; tests/integration/test_yaml_verdicts.py has the same rows judged
by a real API server.
"""

import pytest

from boardroom.api.manifest import ManifestError, read_manifests
from tried.yaml_table import Tried, tried


@pytest.mark.parametrize("row", tried(), ids=lambda row: row.name)
def test_a_file_is_judged_as_by_an_api_server(row: Tried) -> None:
    if row.refusal:
        with pytest.raises(ManifestError) as refused:
            read_manifests([("", row.text)])
        assert row.refusal in str(refused.value)
    else:
        boards, agents = read_manifests([("", row.text)])
        assert len(boards) + len(agents) == 1
