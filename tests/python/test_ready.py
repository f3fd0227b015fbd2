"""Before the first prompt."""

import asyncio

import pytest

import libopencode


def test_agents_and_models_are_waited_for_and_what_is_missing_is_told(client, tmp_path):
    project = client.with_options(directory=str(tmp_path))
    ready = project.wait_until_ready(agents=["build"], models=["local/test"])
    assert "build" in ready.agents and "local/test" in ready.models and ready.mcp == {}
    with pytest.raises(libopencode.APITimeoutError, match="no agent 'nobody'; there are: .*build"):
        project.wait_until_ready(agents=["nobody"], timeout=0.1)
    config = {"type": "local", "command": ["false"]}
    project.mcp.add(name="broken", config=config)
    with pytest.raises(libopencode.ServerStartError, match="'broken' failed") as told:
        project.wait_until_ready(mcp=["broken"])
    assert told.value.code == "mcp"


def test_asyncio_waits_and_can_be_cancelled():
    async def main():
        async with libopencode.AsyncClient() as client:
            assert "build" in (await client.wait_until_ready()).agents
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(client.wait_until_ready(agents=["nobody"]), 0.2)

    asyncio.run(main())
