"""One harness for the tests of this folder; they belong in one xdist group, so that it is made once."""

from collections.abc import Iterator

import pytest

from infra.postgres import ServerAddress
from tests.conftest import _traversable_folder
from tests.faults.harness import Harness


@pytest.fixture(scope="session")
def harness(warehouse_server: ServerAddress) -> Iterator[Harness]:
    import shutil

    folder = _traversable_folder()
    with Harness(warehouse_server, folder) as made:
        yield made
    shutil.rmtree(folder)
