"""Which servers the pool lets this coordinator send to."""

import math
import time

import pytest

from boardroom.coordinator.backends.endpoints import Endpoint
from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.metrics import Metrics
from component.coordinator.mortal_lorax import MortalLorax, pool_of_one
from component.coordinator.standing_fleet import ListedEndpoints


@pytest.mark.parametrize(("keys", "granted"), [(None, True), (["lorax"], True), (["another"], False), ([], False)])
async def test_a_grant_is_for_the_servers_that_it_names(keys: list[str] | None, granted: bool) -> None:
    pool = pool_of_one(Changes())
    pool.cut("the leader is away")
    pool.grant(time.monotonic() + 60, keys)
    assert (pool.backends["lorax"].admission.granted, pool.cut_off) == (granted, "")


async def test_a_server_that_comes_is_sent_to_only_where_every_server_was_granted() -> None:
    endpoints = ListedEndpoints()
    pool = BackendPool(endpoints, lambda _: MortalLorax().client(), changes=endpoints.changes, metrics=Metrics())
    found = []
    for key, keys in (("a", None), ("b", ["a"])):
        pool.grant(math.inf, keys)
        endpoints.list(Endpoint(key=key, name=key, url="virtual://lorax"))
        pool.sync()
        found.append(pool.backends[key].admission.granted)
    assert found == [True, False]


async def test_a_grant_after_a_cut_closes_the_circuit_breaker() -> None:
    endpoints = ListedEndpoints(Endpoint(key="lorax", name="lorax", url="virtual://lorax"))
    pool = BackendPool(endpoints, lambda _: MortalLorax().client(), changes=endpoints.changes, metrics=Metrics())
    pool.backends["lorax"].health_check.set_remote(True, "", None, None)
    pool.cut("the leader is away")
    cut = pool.breaker.reason
    pool.grant(math.inf)
    assert (cut, pool.breaker.reason) == ("the leader is away", None)
