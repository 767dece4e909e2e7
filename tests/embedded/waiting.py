import asyncio


async def until(true, bound_s=120):
    """Wait for what no event tells."""
    async with asyncio.timeout(bound_s):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
