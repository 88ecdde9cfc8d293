"""The dashboard for Grafana shows what a daemon measures."""

from __future__ import annotations

import json
import re
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from daemons import DaemonProcess, header
from eventually import eventually
from inpaint_protos.v1 import inpaint_pb2 as pb

ROOT = Path(__file__).resolve().parents[3]
BOARD: dict[str, Any] = json.loads(
    (ROOT / "server" / "grafana" / "inpaint-server.json").read_text("utf-8")
)
TARGETS = [
    (panel["title"], target["expr"]) for panel in BOARD["panels"] for target in panel["targets"]
]
NOT_SHOWN = {"inpaint_device_busy"}  # its rate is in inpaint_device_busy_seconds_total


def get(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics") as reply:
        body: bytes = reply.read()
    return body.decode()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, set[str]]]:
    """Yield the labels of each metric of a daemon after a fill and an edit."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("dashboard")
    with DaemonProcess(folder, config=f"metrics: {address}") as daemon, daemon.caller() as caller:
        filled = caller.fill(header(count=2))
        caller.edit(pb.EditHeader(session_id=filled.session_id))
        assert eventually(lambda: 'method="Edit"' in get(address))
        labels: dict[str, set[str]] = {}
        for line in get(address).splitlines():
            found = re.match(r"(\w+)(?:\{(.*)\})? ", line)
            if found and not line.startswith("#"):
                names = re.findall(r'(\w+)="', found[2] or "")
                labels.setdefault(found[1], {"instance"}).update(names)  # Prometheus adds it
        yield labels


def expression(text: str) -> Any:
    """Parse an expression as Prometheus receives it from Grafana."""
    return promql_parser.parse(text.replace("$__rate_interval", "5m").replace("$instance", ".*"))


@pytest.mark.parametrize(("title", "text"), TARGETS)
def test_every_expression_is_valid_and_reads_what_is_there(
    title: str, text: str, measured: dict[str, set[str]]
) -> None:
    expression(text)
    selectors = re.findall(r"(inpaint_\w+)\{(.*?)\}", text)
    assert selectors
    for name, matchers in selectors:
        assert name in measured, name
        assert set(re.findall(r'(\w+)[=!]~?"', matchers)) <= measured[name]
        for group in re.findall(r"by \((.*?)\)", text):
            assert set(group.split(", ")) <= measured[name]


def test_everything_that_is_measured_is_shown(measured: dict[str, set[str]]) -> None:
    shown = " ".join(text for _, text in TARGETS)
    for name in measured:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert base in shown or base in NOT_SHOWN, name


def test_grafana_can_import_it() -> None:
    assert BOARD["schemaVersion"] >= 39  # Grafana 10
    assert [v["name"] for v in BOARD["templating"]["list"]] == ["datasource", "instance"]
    places = set()
    for panel in BOARD["panels"]:
        assert panel["type"] == "timeseries"
        assert panel["datasource"]["uid"] == "${datasource}"
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        places.add((place["x"], place["y"]))
    assert len(places) == len(BOARD["panels"]) == len({panel["id"] for panel in BOARD["panels"]})
