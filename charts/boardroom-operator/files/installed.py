"""`helm test`: the API server serves both kinds, and a ready operator answers behind its Service.

Needs no rights: every ServiceAccount may ask what an API server serves.
"""

import json
import os
import ssl
import sys
import time
import urllib.request
from pathlib import Path

IDENTITY = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KINDS = {"boardrooms", "boardagents"}
DEADLINE = time.monotonic() + 90


def kinds() -> None:
    request = urllib.request.Request("https://kubernetes.default.svc/apis/boardroom.dev/v1alpha1")
    request.add_header("Authorization", f"Bearer {(IDENTITY / 'token').read_text()}")
    trust = ssl.create_default_context(cafile=IDENTITY / "ca.crt")
    with urllib.request.urlopen(request, timeout=10, context=trust) as answer:
        missing = KINDS - {resource["name"] for resource in json.load(answer)["resources"]}
    if missing:
        raise OSError(f"the API server does not serve {', '.join(sorted(missing))}: install the CRDs")


def operator() -> None:
    with urllib.request.urlopen(os.environ["METRICS_URL"], timeout=10) as answer:
        if b"boardroom_operator_" not in answer.read():
            raise OSError(f"{os.environ['METRICS_URL']} is not the operator's")


for check in (kinds, operator):
    while True:
        try:
            check()
        except OSError as error:  # all that urllib raises
            if time.monotonic() > DEADLINE:
                sys.exit(f"{check.__name__}: {error}")
            time.sleep(2)
        else:
            print(f"{check.__name__}: ok", flush=True)
            break
