"""How each command of the documentation is proved, first match first: by a test, or by what this machine lacks."""

import re
from typing import Final

ON_A_SERVER: Final = (
    "tests/integration/test_documented_commands.py::test_a_command_of_the_documentation_does_what_it_says"
)
"""Runs what these patterns match, as it stands, on a real API server."""
_DEMO = "tests/e2e/test_demo.py::test_the_demo_shows_the_whole_loop"
_OPERATOR_CHART = "tests/e2e/test_charts.py::test_boards_go_on_without_the_operator_and_a_fresh_release_passes_its_test"
_BOARD_CHART = "tests/e2e/test_charts.py::test_a_board_from_values_is_waited_for_changed_and_removed"
_TAKEOVER = "tests/e2e/test_charts.py::test_plain_manifests_are_taken_over_and_boards_go_on"
_PLUGIN = "tests/e2e/test_board.py::test_the_commands_work_as_a_kubectl_plugin"
_PEOPLE = "tests/e2e/test_board.py::test_the_commands_for_people_work_against_the_cluster"
_UP = "tests/e2e/test_cluster.py::test_up_again_changes_nothing_and_says_so"
_ABSENT = "tests/e2e/test_board.py::test_a_sixth_member_without_files_is_a_named_absence_with_its_cause"

CI: Final = "CI runs it: .ci/run"
NEEDS: Final = frozenset(
    {"needs Docker", "needs a registry of yours", "needs a LoRAX of yours", "needs an environment of yours"}
)
PROOFS: Final[dict[str, str]] = {
    r"make try": "tests/component/cli/test_serve.py::test_one_question_gets_five_attributed_answers_in_one_batch",
    r"make demo": _DEMO,
    r"make dev": "tests/component/tools/test_changed.py::test_a_file_has_the_tests",
    r"make (setup|test|help)": CI,
    r"[A-Z_]+=.* make conformance": "needs a LoRAX of yours",
    r"docker ": "needs Docker",
    r"pip install \.": "needs an environment of yours",
    r"export KUBECONFIG=": _UP,
    # Helm, on real pods.
    r"helm (install|test) boardroom-operator (?!.*take-ownership)": _OPERATOR_CHART,
    r"helm install boardroom-operator .*take-ownership": _TAKEOVER,
    r"helm uninstall boardroom-operator ": _OPERATOR_CHART,
    r"helm install executive ": _BOARD_CHART,
    r"helm install boards-operator ": (
        "tests/integration/test_chart_rights.py::"
        "test_an_operator_of_one_namespace_makes_a_board_with_no_cluster_wide_right"
    ),
    r"helm (package|push) ": "needs a registry of yours",
    # kubectl: what needs pods on real pods, all else on a real API server.
    r"kubectl apply --server-side -k manifests/demo": _TAKEOVER,
    r"kubectl -n boardroom-system rollout ": _TAKEOVER,
    r"kubectl -n boardroom-demo ": _DEMO,
    r"kubectl boardroom ": _PLUGIN,
    r"kubectl logs ": "tests/e2e/test_cluster.py::test_logs_come_back",
    r"kubectl port-forward ": "tests/e2e/test_cluster.py::test_port_forward_leads_from_a_client_to_a_pod",
    r"kubectl ": ON_A_SERVER,
    # Our own.
    r"boardroom ask ": _PEOPLE,
    r"boardroom adapters push .*--dry-run": "tests/unit/cli/test_push.py::test_a_dry_run_says_what_would_be_sent",
    r"boardroom adapters push ": "tests/e2e/test_adapters.py::test_a_push_fills_an_empty_volume_and_the_board_heals",
    r"boardroom adapters make ": (
        "tests/unit/adapters/test_synthetic.py::test_made_adapters_are_whole_and_differ_by_role"
    ),
    r"boardroom adapters check ": "tests/unit/cli/test_adapters.py::test_check_prints_a_line_per_adapter",
    r"boardroom coordinator ": (
        "tests/component/coordinator/test_main.py::test_sigterm_lets_the_question_in_flight_finish"
    ),
    r"boardroom serve ": "tests/component/cli/test_serve.py::test_no_process_is_left_behind",
    r"boardroom simulate": (
        "tests/component/simulator/test_launcher_main.py::"
        "test_a_process_says_what_it_is_then_opens_its_port_and_drains_at_the_end"
    ),
    r"boardroom cluster (up|status|kubeconfig|bin)": _UP,
    r"boardroom cluster load": "tests/e2e/test_cluster.py::test_an_unchanged_image_is_not_loaded_again",
    r"boardroom cluster down": "tests/e2e/test_cluster_down.py::test_down_leaves_nothing_after_a_kill_of",
    # What curl asks, by another client.
    r"curl -N .*/v1/ask": (
        "tests/component/coordinator/test_ask_stream.py::test_members_speak_at_once_and_the_result_is_what_they_said"
    ),
    r"curl .*/v1/ask": _ABSENT,
    r"curl .*:9090/metrics/lorax": "tests/component/coordinator/test_metrics.py::test_loraxs_own_page_is_passed_on",
    r"curl .*:9090/metrics": (
        "tests/component/coordinator/test_requests.py::test_metrics_count_requests_by_route_mode_and_code"
    ),
    r"curl .*/simulator/faults": "tests/unit/simulator/test_faults.py::test_faults_are_added_and_removed_at_run_time",
    r"curl .*/generate": "tests/unit/simulator/test_native.py::test_generate_carries_loraxs_headers",
}


def proof(command: str) -> tuple[str, str] | None:
    """The pattern and the proof of a command."""
    return next(((pattern, how) for pattern, how in PROOFS.items() if re.match(pattern, command)), None)
