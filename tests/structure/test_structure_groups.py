"""The groups of tests that share a home hold, also with the pytest and xdist installed now."""

import pytest


@pytest.mark.xdist_group("structure")
def test_xdist_is_told_the_groups(request: pytest.FixtureRequest) -> None:
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one process: nothing to tell apart (runs in `make test`)")
    assert request.node.nodeid.endswith("@structure")
