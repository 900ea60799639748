"""An agent's side of a conversation, by the `mcp` package: run by its environment's Python.

agent_client.py MODE COMMAND...    prints what the server answered, as JSON
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("check", {"path": "info.onnx", "targets": ["a10"]}),
    ("check", {"path": "../info.onnx"}),
    ("inspect", {"path": "info.onnx"}),
    ("explain_rule", {"code": "FUS002"}),
    ("list_targets", {"query": "jetson"}),
]


async def main(mode: str, command: str, *arguments: str) -> dict[str, Any]:
    server = StdioServerParameters(command=command, args=list(arguments))
    async with Client(server, mode=mode) as client:
        listed = await client.list_tools()
        answers = [await client.call_tool(name, given) for name, given in CALLS]
        return {
            "version": client.protocol_version,
            "server": client.server_info.name,
            "tools": [tool.name for tool in listed.tools],
            "errors": [answer.is_error for answer in answers],
            "texts": [answer.content[0].text for answer in answers],
            "data": [answer.structured_content for answer in answers],
        }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(*sys.argv[1:]))))
