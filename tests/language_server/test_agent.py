"""The server for agents: two eras of the protocol, and nothing outside its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modellint.mcp.server import CAPABILITIES, LEGACY, MODERN, VERSION, AgentServer
from modellint.mcp.tools import TOOLS
from modellint.serving.framing import LineFraming
from tests.language_server.client import Connection, Message
from tests.samples import GOOD, INFO, WARNING, project

pytestmark = pytest.mark.xdist_group("agent")  # they share a server
META = {VERSION: MODERN[0], CAPABILITIES: {}}
PARAMS, UNSUPPORTED = -32602, -32022


class Agent(Connection):
    """A client of the current revision, which states it with each request."""

    def __init__(self, seconds: float = 300.0) -> None:
        super().__init__(
            LineFraming(), lambda source, sink: AgentServer(source, sink, seconds).serve()
        )

    def tool(self, name: str, **arguments: Any) -> Message:
        params = {"name": name, "arguments": arguments, "_meta": META}
        result: Message = self.call("tools/call", params)
        assert result["resultType"] == "complete"
        return result

    def refusal(self, name: str, **arguments: Any) -> str:
        result = self.tool(name, **arguments)
        assert result["isError"], result
        text: str = result["content"][0]["text"]
        return text


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is served, with links to files outside of it."""
    outside = project(tmp_path_factory.mktemp("outside"), {"secret.onnx": GOOD})
    (outside / "modellint.toml").write_text("fail-on = 'secret'\n", encoding="utf-8")
    files = {"info.onnx": INFO, "sub/warning.onnx": WARNING, "linked/good.onnx": GOOD}
    files["deep/below/good.onnx"] = GOOD
    folder = project(outside / "served", files)
    (folder / "text.txt").write_text("no model", encoding="utf-8")
    if os.name == "posix":
        (folder / "deep" / "modellint.toml").symlink_to(outside / "modellint.toml")
        (folder / "linked" / "out.onnx").symlink_to(outside / "secret.onnx")
        (folder / "linked_folder").symlink_to(outside)
        (folder / "inside.onnx").symlink_to(folder / "info.onnx")
        os.mkfifo(folder / "pipe.onnx")
    return folder


@pytest.fixture(scope="module")
def agent(workspace: Path) -> Iterator[Agent]:
    before = Path.cwd()
    os.chdir(workspace)  # as the verb does
    agent = Agent()
    yield agent
    assert agent.finish() is None
    os.chdir(before)


def test_what_is_said_of_the_server(agent: Agent) -> None:
    found = agent.call("server/discover", {"_meta": META})
    assert found["supportedVersions"] == list(MODERN)
    assert found["capabilities"] == {"tools": {}}
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "modellint"
    listed = agent.call("tools/list", {"_meta": META})
    assert listed["cacheScope"] == "public"
    assert [tool["name"] for tool in listed["tools"]] == [tool.name for tool in TOOLS]
    assert all(tool["annotations"]["readOnlyHint"] for tool in listed["tools"])


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        (None, PARAMS),
        ({}, PARAMS),
        ({VERSION: MODERN[0]}, PARAMS),
        ({VERSION: MODERN[0], CAPABILITIES: []}, PARAMS),
        ({VERSION: "1900-01-01", CAPABILITIES: {}}, UNSUPPORTED),
        ({VERSION: {}, CAPABILITIES: {}}, UNSUPPORTED),
        ({VERSION: "x" * 100_000, CAPABILITIES: {}}, UNSUPPORTED),
    ],
)
def test_requests_state_their_revision(agent: Agent, meta: object, code: int) -> None:
    for method in ("server/discover", "tools/list", "tools/call"):
        error = agent.error(method, {"_meta": meta, "name": "list_targets"})
        assert error["code"] == code
        assert len(json.dumps(error)) < 1000


def test_clients_of_earlier_revisions(tmp_path: Path) -> None:
    for asked, answered in ((LEGACY[0], LEGACY[0]), (LEGACY[-1], LEGACY[-1]), ("x", LEGACY[-1])):
        old = Agent()
        assert old.error("initialize", {})["code"] == PARAMS
        told = old.call("initialize", {"protocolVersion": asked, "capabilities": {}})
        assert told["protocolVersion"] == answered
        old.notify("notifications/initialized")
        assert old.call("ping") == {}
        listed = old.call("tools/list")
        assert listed.keys() == {"tools"}
        assert old.error("tools/call", {"name": "rm", "arguments": {}})["code"] == PARAMS
        old.finish()


def test_check(agent: Agent) -> None:
    result = agent.tool("check", path="sub/warning.onnx", select=["HYG"])
    found = result["structuredContent"]
    assert json.loads(result["content"][0]["text"]) == found
    assert [(each["code"], each["node"]) for each in found["findings"]] == [("HYG002", "dead")]
    assert found["findings"][0]["path"] == "sub/warning.onnx"
    assert found["rules"]["HYG002"]["fix"]
    assert found["ok"]
    whole = agent.tool("check", path=".", most=1)["structuredContent"]
    assert len(whole["findings"]) == 1
    assert whole["left_out"] == whole["findings_in_all"] - 1 > 0


def test_the_other_tools(agent: Agent) -> None:
    page = agent.tool("inspect", path="info.onnx", targets=["a10"])["content"][0]["text"]
    assert "info.onnx" in page
    assert "\x1b" not in page
    rule = agent.tool("explain_rule", code="fus002")["content"][0]["text"]
    assert rule.startswith("# batchnorm-after-conv")
    assert "FUS002" in agent.tool("explain_rule", code="fusion")["content"][0]["text"]
    listed = agent.tool("list_targets", query="Jetson Orin")["structuredContent"]
    assert {each["id"] for each in listed["targets"]} >= {"jetson-orin-nano-8gb"}


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
@pytest.mark.parametrize("tool", ["check", "inspect"])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/etc/passwd", "is absolute"),
        ("C:\\secret.onnx", "is absolute"),
        ("../secret.onnx", "contains '..'"),
        ("sub/../../secret.onnx", "contains '..'"),
        ("~/secret.onnx", "starts with '~'"),
        ("", "is not a path"),
        ("a\0b", "is not a path"),
        ("linked/out.onnx", "points outside"),
        ("linked_folder/secret.onnx", "points outside"),
        ("linked/good.onnx", "points outside"),  # next to one that does
        ("pipe.onnx", "is a pipe"),
        ("missing.onnx", "No such file"),
        ("x" * 999, ""),
        ("s3://bucket/model.onnx", "No such file"),
        ("https://example.com/model.onnx", "No such file"),
    ],
)
def test_nothing_outside_is_read(agent: Agent, tool: str, path: str, said: str) -> None:
    refusal = agent.refusal(tool, path=path)
    assert said in refusal
    assert "secret'" not in refusal  # of the configuration outside
    assert len(refusal) < 1500


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_a_folder_with_links_out_of_it(agent: Agent) -> None:
    found = agent.tool("check", path="linked")
    assert found["isError"]
    whole = agent.tool("check", path=".")["structuredContent"]
    assert whole["models"] == 4  # a link to a model inside is one and the same
    assert sum("points outside" in note for note in whole["notes"]) == 2
    assert not any("secret.onnx" in str(each) for each in whole["findings"])
    assert agent.tool("check", path="deep/below/good.onnx")["structuredContent"]["ok"]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("check", {}, "path is missing"),
        ("check", {"path": 5}, "path: expected string"),
        ("check", {"path": "x" * 2000}, "more than 1000"),
        ("check", {"path": ".", "target": ["a10"]}, "did you mean 'targets'?"),
        ("check", {"path": ".", "targets": "a10"}, "targets: expected array"),
        ("check", {"path": ".", "targets": [5]}, "targets[0]: expected string"),
        ("check", {"path": ".", "targets": ["a10"] * 100}, "more than 50"),
        ("check", {"path": ".", "targets": ["a1O"]}, "did you mean 'a10'?"),
        ("check", {"path": ".", "batch": True}, "batch: expected integer"),
        ("check", {"path": ".", "batch": 0}, "not between"),
        ("check", {"path": ".", "batch": 10**30}, "not between"),
        ("check", {"path": ".", "precision": "half"}, "not one of"),
        ("check", {"path": ".", "shapes": {"x": 1}}, "shapes.x: expected string"),
        ("check", {"path": ".", "shapes": {"x": "1xN"}}, "invalid shape"),
        ("check", {"path": ".", "select": ["HYG0O1"]}, "did you mean"),
        ("check", {"path": ".", "runtime": "tensorr"}, "did you mean"),
        ("inspect", {"path": "."}, "4 models; expected one"),
        ("explain_rule", {"code": "XYZ123"}, "no rule, prefix or family"),
        ("explain_rule", {"code": ["FUS002"]}, "expected string"),
    ],
)
def test_arguments(agent: Agent, tool: str, arguments: dict[str, Any], said: str) -> None:
    assert said in agent.refusal(tool, **arguments)


def test_calls_that_are_none(agent: Agent) -> None:
    wrong: list[Message] = [{}, {"name": 5}, {"name": "rm"}, {"name": "x" * 100_000}]
    for params in wrong:
        assert agent.error("tools/call", {**params, "_meta": META})["code"] == PARAMS
    for arguments in (["x"], "x", 5):
        call = {"name": "check", "arguments": arguments, "_meta": META}
        assert agent.call("tools/call", call)["isError"]


def test_a_tool_that_takes_too_long() -> None:
    hasty = Agent(seconds=0.001)
    assert "it took more than 0.001 s" in hasty.refusal("list_targets")
    hasty.finish()


def test_a_call_that_is_cancelled_gets_no_answer(agent: Agent) -> None:
    params = {"name": "check", "arguments": {"path": "."}, "_meta": META}
    cancelled = agent.begin("tools/call", params)
    agent.notify("notifications/cancelled", {"requestId": cancelled})
    assert agent.tool("explain_rule", code="FUS002")["isError"] is False
    assert not any(each.get("id") == cancelled for each in agent.kept)


def test_calls_that_wait_are_limited(agent: Agent) -> None:
    params = {"name": "explain_rule", "arguments": {"code": "FUS002"}, "_meta": META}
    asked = [agent.begin("tools/call", params) for _ in range(50)]
    answers = [agent.answer(each) for each in asked]
    assert sum("result" in each for each in answers) >= 32
    assert all(each.get("error", {}).get("code", -32603) == -32603 for each in answers)
