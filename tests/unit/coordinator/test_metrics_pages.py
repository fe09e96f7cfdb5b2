"""Pages of metrics: kept for a second, and those of several servers as one."""

import asyncio

from boardroom.coordinator.http.metrics_pages import Page, merged


async def test_who_asks_for_a_page_within_a_second_gets_the_same() -> None:
    made, now = [], [0.0]

    async def make() -> bytes:
        await asyncio.sleep(0)
        made.append(now[0])
        return str(now[0]).encode()

    page = Page(make, lambda: now[0])
    together = await asyncio.gather(page.read(), page.read())
    now[0] = 0.9
    soon = await page.read()
    now[0] = 1.0
    later = await page.read()
    assert ([*together], soon, later) == ([b"0.0", b"0.0"], b"0.0", b"1.0")
    assert made == [0.0, 1.0]


def test_the_pages_of_several_servers_are_one_with_each_family_together() -> None:
    page = b'# TYPE a counter\na 1\n\n# TYPE b histogram\nb_bucket{le="+Inf"} 2\nb_sum 0.5\nb_count 2\n\n'
    assert merged({"one": page, "two": page}).decode().splitlines() == [
        "# TYPE a counter",
        'a{replica="one"} 1',
        'a{replica="two"} 1',
        "# TYPE b histogram",
        *(
            line
            for name in ("one", "two")
            for line in (
                f'b_bucket{{replica="{name}",le="+Inf"}} 2',
                f'b_sum{{replica="{name}"}} 0.5',
                f'b_count{{replica="{name}"}} 2',
            )
        ),
    ]
