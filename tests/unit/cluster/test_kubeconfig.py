"""The kubeconfig that a cluster of ours writes."""

import base64
import json
import stat
from pathlib import Path

from boardroom.cluster import kubeconfig
from boardroom.cluster.pki import Authority, Identity, KeyPair


def _written(folder: Path) -> tuple[Path, Authority, KeyPair]:
    authority = Authority(folder)
    user = authority.issue(Identity(name="admin", common_name="admin"))
    file = kubeconfig.write(
        folder / "kubeconfig", server="https://127.0.0.1:6443", authority=authority.pair.certificate, user=user
    )
    return file, authority, user


def test_it_holds_its_certificates_itself(tmp_path: Path) -> None:
    file, authority, user = _written(tmp_path)
    config = json.loads(file.read_text())
    held = {**config["clusters"][0]["cluster"], **config["users"][0]["user"]}
    assert held == {
        "server": "https://127.0.0.1:6443",
        "certificate-authority-data": base64.b64encode(authority.pair.certificate.read_bytes()).decode(),
        "client-certificate-data": base64.b64encode(user.certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(user.key.read_bytes()).decode(),
    }


def test_its_one_context_is_current(tmp_path: Path) -> None:
    config = json.loads(_written(tmp_path)[0].read_text())
    assert config["contexts"] == [
        {"name": config["current-context"], "context": {"cluster": "boardroom", "user": "boardroom"}}
    ]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    assert stat.S_IMODE(_written(tmp_path)[0].stat().st_mode) == 0o600
