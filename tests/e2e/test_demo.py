"""What README's newcomer runs."""

import pytest

from e2e.board_on_pods import BoardOnPods, run

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(1800)
def test_the_demo_shows_the_whole_loop(operator: BoardOnPods, boardroom: str) -> None:
    """On the session's cluster, so the demo removes its own board and leaves the cluster running."""
    shown = run(boardroom, "demo")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "5 of 5 members answered" in shown.stdout
    assert "batch: 5 members in one LoRAX batch" in shown.stdout
    assert "5 of 6 members answered" in shown.stdout
    assert "/models/clo_lora_adapter: no such directory" in shown.stdout
    assert '"loadedAdapters": 5' in shown.stdout
    assert "namespace/boardroom-demo" not in operator.names("namespaces")
