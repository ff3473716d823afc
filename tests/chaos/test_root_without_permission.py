"""A worktree root that our user may not write to: said before an agent runs, and mended by what is said."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.chaos.scenes import make_scene
from tests.conftest import TellFault
from tests.e2e.product import RUN, Product, finish

_AS_OTHERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Root may write everywhere; without these capabilities a file's mode counts for root, too."""


def test_it_is_refused_and_goes_on_with_permission(product: Product, tmp_path: Path, tell_fault: TellFault) -> None:
    under = _AS_OTHERS if os.getuid() == 0 else ()
    if under and not shutil.which(under[0]):
        pytest.skip("root needs setpriv (util-linux) to be refused anything")
    scene, root = make_scene(tmp_path, "no-permission"), tmp_path / "trees"
    root.mkdir(mode=0o555)
    where = {"PARALLEL_WORKERS_WORKTREE_ROOT": str(root)}
    product.call("up", "--server-only")
    refused = finish(product.begin(*RUN, str(scene.spec), under=under, **where))
    assert (refused.exit_code, refused.results()) == (1, {"T1": "failed"}), refused.stderr
    (reason,) = refused.reasons().values()
    assert reason.startswith(f"Permission denied ({root}")
    assert "Let your user write there, and run again" in reason
    assert scene.noted("run") == []
    (found,) = (
        each
        for each in finish(product.begin("doctor", "--json", under=under, **where)).data["findings"]
        if each["check"] == "worktree root"
    )
    assert found["severity"] == "problem"
    root.chmod(0o755)
    again = finish(product.begin(*RUN, str(scene.spec), under=under, **where))
    assert again.results() == {"T1": "merged"}, again.stderr
    tell_fault("worktree root: no permission to write", "failed; run again: merged", reason)
