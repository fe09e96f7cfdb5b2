#!/usr/bin/env bash
# What a newcomer's first run takes: a fresh clone of HEAD, empty caches, each part timed. Leaves nothing behind.
set -euo pipefail
root=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
export BOARDROOM_CACHE=$work/cache GOCACHE=$work/go-build GOMODCACHE=$work/go-mod XDG_STATE_HOME=$work/state
export UV_CACHE_DIR=$work/uv PIP_CACHE_DIR=$work/pip
clean() {
    "$work/clone/.venv/bin/boardroom" cluster down 2>/dev/null || true
    chmod -R u+w "$work" && rm -rf "$work"
}
trap clean EXIT

git clone -q "$root" "$work/clone"
cd "$work/clone"
report=()
timed() { # name, command...
    local name=$1 began=$SECONDS status=ok
    shift
    "$@" || status=FAILED
    report+=("$(printf '%-28s %5d s  %s' "$name" $((SECONDS - began)) "$status")")
}
timed "environments" make setup
timed "make try" make try
timed "lint" make lint
timed "unit tests" make test-unit
timed "component tests" make test-component
timed "integration tests, builds" make test-integration
timed "make demo, builds" make demo
timed "make demo, warm" make demo
timed "e2e tests" make test-e2e
printf '\n%s\n' "${report[@]}"
! printf '%s\n' "${report[@]}" | grep -q FAILED
