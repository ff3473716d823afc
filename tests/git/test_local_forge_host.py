"""Which repository the pull requests of a clone live in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_workers.adapters.local_forge.host import find_host
from parallel_workers.errors import ForgeError, UntrustedConfigError
from parallel_workers.remote_urls import local_path

Git = Callable[..., str]
Make = Callable[..., Path]


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/srv/a b.git", Path("/srv/a b.git")),
        ("../repo.git", Path("../repo.git")),
        ("./with:colon", Path("./with:colon")),
        ("file:///srv/a%20b.git", Path("/srv/a b.git")),
        ("host:path.git", None),
        ("git@host:path.git", None),
        ("ssh://git@host/path", None),
        ("https://host/path", None),
    ],
)
def test_local_path(url: str, path: Path | None) -> None:
    assert local_path(url) == path


def test_settings_planted_after_opening_stop_all_contact(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    git(repository, "remote", "add", "origin", "https://host.invalid/p.git")
    host = find_host(repository)
    git(repository, "config", "url.ext::evil.insteadOf", "https://host.invalid/")
    for verb in ("ls-remote", "fetch", "push"):
        with pytest.raises(UntrustedConfigError, match=r"url\.ext::evil\.insteadof"):
            host.git(verb, "https://host.invalid/p.git")


@pytest.mark.parametrize("form", ["{path}", "file://{quoted}", "../a b.git"])
def test_the_remote_on_this_machine_is_the_host(make_repository: Make, git: Git, form: str) -> None:
    clone = make_repository("a b", bare_remote=True)
    remote = clone.parent / "a b.git"
    url = form.format(path=remote, quoted=str(remote).replace(" ", "%20"))
    git(clone, "remote", "rename", "origin", "upstream")
    git(clone, "remote", "set-url", "upstream", url)
    linked = clone.parent / "linked"
    git(clone, "worktree", "add", "--quiet", "--detach", str(linked))
    for location in (clone, clone / "src", linked):
        host = find_host(location)
        assert (host.git_dir.resolve(), host.remote_url) == (remote.resolve(), None)
        assert host.clone == clone / ".git"


def test_without_a_remote_the_repository_is_its_own_host(make_repository: Make) -> None:
    repository = make_repository()
    assert (find_host(repository).git_dir, find_host(repository).place) == (repository / ".git", str(repository))


def test_a_url_is_worked_on_from_the_clone(make_repository: Make, git: Git) -> None:
    repository = make_repository()
    git(repository, "remote", "add", "origin", "https://me:secret@host.invalid/p.git")
    host = find_host(repository)
    assert (host.git_dir, host.remote_url) == (repository / ".git", "https://me:secret@host.invalid/p.git")
    assert host.place == "https://host.invalid/p.git"


def test_what_cannot_be_used_is_named(make_repository: Make, git: Git, tmp_path: Path) -> None:
    with pytest.raises(ForgeError, match="nowhere"):
        find_host(tmp_path / "nowhere")
    repository = make_repository()
    git(repository, "remote", "add", "one", "https://host.invalid/1.git")
    git(repository, "remote", "add", "two", "https://host.invalid/2.git")
    with pytest.raises(ForgeError, match="one, two"):
        find_host(repository)
    git(repository, "remote", "add", "origin", str(tmp_path / "gone.git"))
    with pytest.raises(ForgeError, match=r"gone\.git"):
        find_host(repository)
