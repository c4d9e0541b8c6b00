"""One thread and no progress bars, so that tests are quick and say the same everywhere."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COMPANION_PROGRESS"] = "off"

import torch  # noqa: E402

torch.set_num_threads(1)

import random  # noqa: E402

import pytest  # noqa: E402


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With COMPANION_TURNS=one (`make test`) the members of a group take turns.

    `@pytest.mark.turns("walk", by="module")` makes each module a member of the group "walk", else
    each test is one.  One random member runs, the others wait for another time; everything else
    (`make test-full`, `make browser`, a file by its name) runs all of them.
    """
    if os.environ.get("COMPANION_TURNS") != "one":
        return
    members: dict[str, dict[str, list[pytest.Item]]] = {}
    for item in items:
        marker = item.get_closest_marker("turns")
        if marker is not None:
            by_module = marker.kwargs.get("by") == "module"
            member = str(item.path) if by_module else item.nodeid
            members.setdefault(marker.args[0], {}).setdefault(member, []).append(item)
    waiting = set()
    for group in members.values():
        chosen = random.choice(sorted(group))
        waiting |= {item for member, some in group.items() if member != chosen for item in some}
    config.hook.pytest_deselected(items=[item for item in items if item in waiting])
    items[:] = [item for item in items if item not in waiting]
