"""The seal notices whatever way a name was replaced in, with numbers of changes and without."""

import builtins
import sys

import pytest
import torch

from companion import checks
from companion.grading import seal
from companion.grading.seal import Seal


def exchange_by_assignment() -> None:
    torch.relu = len


def exchange_often() -> None:
    for number in range(100):  # an instruction that was adapted to its place counts too
        torch.relu = number


def exchange_in_the_dict() -> None:
    vars(torch)["relu"] = len


def exchange_by_exec() -> None:
    exec("relu = len", vars(torch))


def remove() -> None:
    del torch.relu


WAYS = [exchange_by_assignment, exchange_often, exchange_in_the_dict, exchange_by_exec, remove]


@pytest.fixture(params=[True, False], ids=["numbered", "looked through"])
def sealed(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(seal, "numbers_changes", lambda: False)
    elif not seal.numbers_changes():
        pytest.skip("this Python does not number the changes of a dict")
    made = Seal()
    assert (made.versions is not None) == request.param
    yield made
    made.restore()


def test_nothing_is_found_where_nothing_changed(sealed):
    assert sealed.restore() == [] and sealed.restore() == []


@pytest.mark.parametrize("way", WAYS)
def test_what_was_replaced_is_put_back_each_time(sealed, way):
    original = torch.relu
    for _ in range(3):
        way()
        assert sealed.restore() == ["torch.relu"]
        assert torch.relu is original and sealed.restore() == []


def test_classes_and_several_places_at_once(sealed):
    torch.Tensor.sum = checks.close = len
    builtins.sum = max
    found = sealed.restore()
    assert set(found) == {"Tensor.sum", "companion.checks.close", "builtins.sum"}


def test_a_name_that_hides_another_is_removed(sealed):
    torch.len = max
    torch.of_nobody = max  # hides nothing, and stays
    assert sealed.restore() == ["torch.len"]
    assert sealed.restore() == []
    assert torch.of_nobody is max
    del torch.of_nobody


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="later ones number no changes")
def test_this_python_numbers_changes():
    assert seal.numbers_changes()
