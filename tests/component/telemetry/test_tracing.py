"""A process without OTEL_* imports nothing of OpenTelemetry."""

import subprocess
import sys


def test_the_coordinator_does_not_import_opentelemetry_unless_it_is_on() -> None:
    code = "import sys, boardroom.coordinator.main; print(any(m.startswith('opentelemetry') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
