"""The provisioner of the node's StorageClass: one folder per claim, removed with the claim."""

from __future__ import annotations

import http.client
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import objects
from boardroom.cluster.progress import say
from boardroom.cluster.rest import RestError

if TYPE_CHECKING:
    from boardroom.cluster.rest import Rest

_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"
_FROM_CACHE = "?resourceVersion=0"
_PERIOD_SECONDS = 1.0


def keep_provisioning(api: Rest) -> None:
    """Provision in a loop. A failure is retried, and logged if it differs from the last one."""
    said = ""
    while True:
        try:
            provision(api)
            said = ""
        except (OSError, http.client.HTTPException, RestError) as error:
            if str(error) != said:
                said = str(error)
                say(f"volumes: {said}")
        time.sleep(_PERIOD_SECONDS)


def provision(api: Rest) -> None:
    """Provision every pending claim, and remove every volume whose claim is gone."""
    for claim in objects.unbound(api.get(_CLAIMS + _FROM_CACHE)["items"]):
        volume = objects.volume(claim)
        folder = Path(volume["spec"]["hostPath"]["path"])
        folder.mkdir(parents=True, exist_ok=True)
        # fsGroup does not apply to host paths, and pods run under any user.
        folder.chmod(0o777)
        api.apply(f"{_VOLUMES}/{volume['metadata']['name']}", volume)
    for name in objects.released(api.get(_VOLUMES + _FROM_CACHE)["items"]):
        shutil.rmtree(objects.VOLUMES / name, ignore_errors=True)
        api.delete(f"{_VOLUMES}/{name}")
