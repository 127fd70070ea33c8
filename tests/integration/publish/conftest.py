"""Fixtures of the publish station: a hand-made build on a throw-away warehouse."""

from __future__ import annotations

import pytest
from publish_register import Register
from sqlalchemy import Engine

from infra.warehouse import Warehouse


@pytest.fixture
def engine(warehouse: Warehouse) -> Engine:
    return warehouse.engine


@pytest.fixture
def register(engine: Engine) -> Register:
    """A build that has not been judged."""
    register = Register(engine)
    register.build()
    return register
