"""Cluster-wide defaults (AOS_* in the environment) and the effective settings of a board."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.meta import ADAPTERS_PORT, LORAX_PORT
from boardroom.api.status import EffectiveSettings

DEFAULT_LORAX_IMAGE = "ghcr.io/predibase/lorax:0.12.1"
"""The newest release (docs/lorax.md#unpinned-image); never `latest`."""

_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class SettingsError(ValueError):
    """An environment variable has an invalid value. The message names the variable and its valid values."""


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The settings of a board whose spec leaves them unset."""

    enable_lorax: bool = True
    lorax_image: str = DEFAULT_LORAX_IMAGE
    lorax_port: int = LORAX_PORT
    adapter_cache_size: int = 100
    max_concurrent_requests: int = 128
    max_members: int = 15

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Reads AOS_*. Raises SettingsError."""
        defaults = cls(
            enable_lorax=_boolean(env, "AOS_ENABLE_LORAX", default=cls.enable_lorax),
            lorax_image=env.get("AOS_LORAX_IMAGE") or cls.lorax_image,
            lorax_port=_integer(env, "AOS_LORAX_PORT", cls.lorax_port, 1024, 65535),
            adapter_cache_size=_integer(env, "AOS_LORAX_ADAPTER_CACHE_SIZE", cls.adapter_cache_size, 1, 4096),
            max_concurrent_requests=_integer(
                env, "AOS_LORAX_MAX_CONCURRENT_REQUESTS", cls.max_concurrent_requests, 1, 65536
            ),
            max_members=_integer(env, "AOS_MAX_MEMBERS", cls.max_members, 1, 256),
        )
        if defaults.lorax_port == ADAPTERS_PORT:
            raise SettingsError(f"AOS_LORAX_PORT={ADAPTERS_PORT}: that port belongs to the adapters sidecar")
        return defaults

    def to_env(self) -> dict[str, str]:
        """The environment that `from_env` reads. The operator gives it to coordinators."""
        return {
            "AOS_ENABLE_LORAX": str(self.enable_lorax).lower(),
            "AOS_LORAX_IMAGE": self.lorax_image,
            "AOS_LORAX_PORT": str(self.lorax_port),
            "AOS_LORAX_ADAPTER_CACHE_SIZE": str(self.adapter_cache_size),
            "AOS_LORAX_MAX_CONCURRENT_REQUESTS": str(self.max_concurrent_requests),
            "AOS_MAX_MEMBERS": str(self.max_members),
        }

    def coordinator_env(self, spec: BoardroomSpec) -> dict[str, str]:
        """The part of `to_env` that a board uses: the defaults of fields that its spec leaves unset.

        A change of another default must not replace the board's pods.
        """
        lorax = spec.lorax
        fields: dict[str, object] = {
            "AOS_ENABLE_LORAX": spec.enable_lorax,
            "AOS_LORAX_IMAGE": lorax.image,
            "AOS_LORAX_PORT": lorax.port,
            "AOS_LORAX_ADAPTER_CACHE_SIZE": lorax.adapter_cache_size,
            "AOS_LORAX_MAX_CONCURRENT_REQUESTS": lorax.max_concurrent_requests,
            "AOS_MAX_MEMBERS": spec.max_members,
        }
        enabled = effective(spec, self).enabled
        return {
            name: value
            for name, value in self.to_env().items()
            if fields[name] is None and (enabled or not name.startswith("AOS_LORAX_"))
        }


def effective(spec: BoardroomSpec, defaults: Defaults) -> EffectiveSettings:
    """The effective settings: the spec's, else the defaults."""
    lorax = spec.lorax
    return EffectiveSettings(
        enabled=defaults.enable_lorax if spec.enable_lorax is None else spec.enable_lorax,
        image=lorax.image or defaults.lorax_image,
        port=lorax.port or defaults.lorax_port,
        adapter_cache_size=lorax.adapter_cache_size or defaults.adapter_cache_size,
        max_concurrent_requests=lorax.max_concurrent_requests or defaults.max_concurrent_requests,
        max_members=spec.max_members or defaults.max_members,
    )


def _boolean(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name, "").strip().lower()
    if not text:
        return default
    if text not in _BOOLEANS:
        raise SettingsError(f"{name}={text!r}: give true or false")
    return _BOOLEANS[text]


def _integer(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise SettingsError(f"{name}={text!r}: give a whole number from {low} to {high}")
    return int(text)
