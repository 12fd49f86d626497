"""What the routes of one service share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import HTTPConnection

from affuse.serving.about.about import About
from affuse.serving.desk import Desk
from affuse.serving.engine import Engine
from affuse.serving.metrics import Metrics
from affuse.serving.space import Space


@dataclass
class Service:
    """One service.

    Attributes:
        engine: Does the work.
        desk: Takes forms in, gives jobs out.
        metrics: For Prometheus.
        folder: Where uploads go.
        space: How much of the disk they take.
        about: Name of a model -> what there is to read about it.
    """

    engine: Engine
    desk: Desk
    metrics: Metrics
    folder: Path
    space: Space
    about: Mapping[str, About]


def service_of(connection: HTTPConnection) -> Service:
    """The service that a request came to."""
    return connection.app.state.service


def client_of(connection: HTTPConnection) -> str:
    """Whose turn it is: clients are told apart by their address."""
    return connection.client.host if connection.client is not None else ""
