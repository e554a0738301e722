"""What the tests of faults share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import SOAK, campaign, shim
from tests.memory import in_memory


@pytest.fixture(scope='session')
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shim, compiled."""
    return shim.build(tmp_path_factory.mktemp('shim'))


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where that can be had: these tests sync a lot, and hold no data dear."""
    with in_memory(tmp_path) as folder:
        yield folder


@pytest.fixture
def run(library: Path, scratch: Path) -> Callable[..., Any]:
    """Calls ``module:function`` in a process of one thread, with a folder and more arguments."""

    def call(function: str, *arguments: Any) -> Any:
        patience = 3600 if SOAK else 100
        report = campaign.run(function, str(scratch), *arguments, shim=library, patience=patience)
        # Shown when the test fails, or with -s: how often, where, and what came of it.
        print(function, *arguments, report)
        return report

    return call


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the long form the time that it needs."""
    if SOAK:
        for item in items:
            if Path(__file__).parent in item.path.parents:
                item.add_marker(pytest.mark.timeout(4000))
