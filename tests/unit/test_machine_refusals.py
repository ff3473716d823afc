"""What is said when a machine refuses: what it was, where, and the way out."""

from __future__ import annotations

import errno
import os

import pytest

from parallel_workers.messages import refused_by_the_machine


@pytest.mark.parametrize(
    ("number", "way_out"),
    [
        (errno.ENOSPC, "Make room there, and run again"),
        (errno.EROFS, "Choose a folder that can be written to, and run again"),
        (errno.EACCES, "Let your user write there, and run again"),
        (errno.EIO, "See to that, and run again"),
    ],
)
def test_each_names_the_place_and_the_way_out(number: int, way_out: str) -> None:
    said = refused_by_the_machine(OSError(number, os.strerror(number), "/trees/shop/t"))
    assert said == f"{os.strerror(number)} (/trees/shop/t); what the worker has done is kept. {way_out}"


def test_one_without_a_place_or_number() -> None:
    assert refused_by_the_machine(OSError("odd")) == "odd; what the worker has done is kept. See to that, and run again"
