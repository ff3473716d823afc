"""What an agent gets, what it answers, and how its run is told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from parallel_workers.adapters.agents.command import CommandRunner
from parallel_workers.adapters.agents.invocation import MAX_ARGUMENT_BYTES
from parallel_workers.agent_runs import AgentEnd
from parallel_workers.errors import AgentFailedError, AgentNotFoundError, UsageError
from parallel_workers.spec import PromptDelivery
from tests.agents.conftest import PYTHON, AgentBench

_SAY_ARGUMENTS = "import sys\nfor argument in sys.argv[1:]: print(ascii(argument))"


def test_lines_of_both_outputs_exit_code_and_log(bench: AgentBench) -> None:
    result = bench.shell("echo out; echo err >&2; printf tail; exit 4")
    assert (result.end, result.exit_code, result.leftovers) == (AgentEnd.EXITED, 4, 0)
    assert sorted(bench.lines) == ["err", "out", "tail"]
    assert (result.output_lines, sorted(result.last_lines)) == (3, ["err", "out", "tail"])
    assert sorted(bench.log_file.read_text().splitlines()) == ["err", "out", "tail"]
    assert (bench.log_file.stat().st_mode & 0o777, result.no_change_reason) == (0o600, None)


def test_the_environment_is_what_was_given_and_the_tag(bench: AgentBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOO_TOKEN", "s3cret")
    program = "import os, sys; sys.stdout.buffer.write(b'\\n'.join(k + b'=' + v for k, v in os.environb.items()))"
    bench.python(program, environment={"PATH": os.environ["PATH"], "NAME": "caf\u00e9 \udcff"})
    given = dict(line.split("=", 1) for line in bench.lines)
    given.pop("LC_CTYPE", None)  # Python sets it for itself.
    assert given == {"PATH": os.environ["PATH"], "NAME": "café \ufffd", "PARALLEL_WORKERS_RUN": bench.tag}


def test_nothing_near_the_agent_holds_our_environment(bench: AgentBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent may read what /proc tells of its parents, as the same user."""
    monkeypatch.setenv("FOO_TOKEN", "s3cret")
    result = bench.shell("tr '\\0' '\\n' < /proc/$PPID/environ; ls /proc/self/fd")
    assert not any("s3cret" in line for line in result.last_lines)
    assert [line for line in bench.lines if line.isdigit()] == ["0", "1", "2", "3"]  # 3 is what ls itself opened


def test_the_agent_leads_a_session_of_its_own_in_the_worktree(bench: AgentBench) -> None:
    bench.python("import os; print(os.getcwd(), os.getpid() == os.getsid(0) == os.getpgid(0))")
    assert bench.lines == [f"{bench.worktree} True"]


def test_broken_pipes_end_programs_as_usual(bench: AgentBench) -> None:
    assert bench.shell("yes | head -n 1").exit_code == 0
    assert bench.lines == ["y"]


@pytest.mark.parametrize(
    "prompt", ["", "two\nlines", "-x --help", "caf\u00e9 $HOME `id` \"'", "x" * MAX_ARGUMENT_BYTES]
)
def test_a_prompt_as_the_last_argument(bench: AgentBench, prompt: str) -> None:
    bench.python(_SAY_ARGUMENTS + "\nprint(len(sys.argv[-1]))", "given", prompt=prompt, delivery=PromptDelivery.ARG)
    assert bench.lines[0] == "'given'"
    assert bench.lines[2] == str(len(prompt))
    assert len(prompt) > 100 or bench.lines[1] == ascii(prompt)


def test_a_prompt_as_a_file(bench: AgentBench) -> None:
    command = bench.command(*PYTHON, _SAY_ARGUMENTS, delivery=PromptDelivery.FILE, prompt="é\r\n\udcff")
    bench.runner.run(command, bench.lines.append, bench.cancel)
    assert bench.lines == [repr(str(command.prompt_file))]
    assert command.prompt_file.read_bytes() == b"\xc3\xa9\r\n\xff"
    assert command.prompt_file.stat().st_mode & 0o777 == 0o600


def test_a_prompt_on_stdin_of_any_size(bench: AgentBench) -> None:
    result = bench.shell("wc -c; wc -c < /dev/null", prompt="x" * 3_000_000, delivery=PromptDelivery.STDIN)
    assert (result.exit_code, bench.lines) == (0, ["3000000", "0"])


def test_a_prompt_on_stdin_need_not_be_read(bench: AgentBench) -> None:
    assert bench.shell("exit 0", prompt="x" * 3_000_000, delivery=PromptDelivery.STDIN).exit_code == 0


@pytest.mark.parametrize("delivery", [PromptDelivery.ARG, PromptDelivery.FILE])
def test_stdin_is_at_its_end_otherwise(bench: AgentBench, delivery: PromptDelivery) -> None:
    assert bench.shell("cat; echo ended", delivery=delivery).exit_code == 0
    assert bench.lines == ["ended"]


@pytest.mark.parametrize("prompt", ["x" * (MAX_ARGUMENT_BYTES + 1), "é" * (MAX_ARGUMENT_BYTES // 2 + 1), "a\0b"])
def test_a_prompt_no_argument_can_carry_starts_nothing(bench: AgentBench, prompt: str) -> None:
    with pytest.raises(UsageError, match="prompt: stdin"):
        bench.shell("touch started", prompt=prompt, delivery=PromptDelivery.ARG)
    assert not (bench.worktree / "started").exists()


def test_too_much_in_all_is_explained(bench: AgentBench) -> None:
    environment = {f"NAME_{number}": "x" * 100_000 for number in range(100)}
    with pytest.raises(UsageError, match="too long to start"):
        bench.runner.run(bench.command("/bin/true", environment=environment), bench.lines.append, bench.cancel)


def test_no_change_needed_is_a_result(bench: AgentBench) -> None:
    result = bench.shell("echo thinking; echo 'PARALLEL_WORKERS_RESULT: no-change-needed the page is there'")
    assert (result.exit_code, result.no_change_reason) == (0, "the page is there")


def test_cpu_time_memory_and_duration_are_told(bench: AgentBench) -> None:
    burn = "import time\nblock = bytearray(60_000_000)\nwhile time.process_time() < 0.3: pass"
    result = bench.python(f"import os, sys\nif os.fork() == 0:\n exec({burn!r}); os._exit(0)\nos.wait()")
    assert 0.3 <= result.cpu_seconds < 3
    assert 60_000_000 <= result.peak_memory_bytes < 200_000_000
    assert 0.3 <= result.duration_seconds < 20


def test_memory_of_all_processes_together_is_sampled(bench: AgentBench) -> None:
    hold = "import time\nblock = bytearray(60_000_000)\ntime.sleep(1)"
    result = bench.python(
        f"import os\nif os.fork() == 0:\n exec({hold!r}); os._exit(0)\nexec({hold!r})", stall_timeout=3
    )
    assert 120_000_000 <= result.peak_memory_bytes < 300_000_000


def make_program(folder: Path, text: str, *, mode: int = 0o755) -> Path:
    """A file that may or may not be a program."""
    path = folder / "program"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_missing_program_names_path_and_remedy(bench: AgentBench) -> None:
    with pytest.raises(AgentNotFoundError, match=r"'no-such-agent' is not in the worker's PATH \(/bin:/usr/bin\)"):
        command = bench.command("no-such-agent", environment={"PATH": "/bin::.:/usr/bin"})
        bench.runner.run(command, bench.lines.append, bench.cancel)


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o644, "not executable: chmod"),
        ("#!/no/such/interpreter -x\n", 0o755, "interpreter of .* does not exist: /no/such/interpreter"),
        ("echo no first line\n", 0o755, "needs a first line such as"),
        ("\x7fELF rubbish", 0o755, "could not be started: Exec format error"),
    ],
)
@pytest.mark.parametrize("by_path", [True, False])
def test_a_program_that_cannot_start_is_explained(
    bench: AgentBench, text: str, mode: int, said: str, *, by_path: bool
) -> None:
    program = make_program(bench.folder, text, mode=mode)
    command = bench.command(str(program) if by_path else "program", environment={"PATH": str(bench.folder)})
    with pytest.raises(AgentNotFoundError, match=said):
        bench.runner.run(command, bench.lines.append, bench.cancel)


def test_a_relative_program_is_looked_for_in_the_worktree(bench: AgentBench) -> None:
    make_program(bench.worktree, "#!/bin/sh\necho here: $0\n")
    assert bench.runner.run(bench.command("./program"), bench.lines.append, bench.cancel).exit_code == 0
    assert bench.lines[0].endswith("a worktree/program")
    with pytest.raises(AgentNotFoundError, match=r"\./missing does not exist in .*; relative paths count"):
        bench.runner.run(bench.command("./missing"), bench.lines.append, bench.cancel)


def test_a_program_in_the_worktree_is_not_found_by_name(bench: AgentBench) -> None:
    make_program(bench.worktree, "#!/bin/sh\n")
    with pytest.raises(AgentNotFoundError):
        bench.runner.run(bench.command("program", environment={"PATH": ":."}), bench.lines.append, bench.cancel)


def test_no_command_and_no_worktree_are_refused(bench: AgentBench) -> None:
    with pytest.raises(UsageError, match="command is empty"):
        bench.runner.run(bench.command(), bench.lines.append, bench.cancel)
    with pytest.raises(AgentFailedError, match=r"worktree.*No such file"):
        bench.shell("true", worktree=bench.folder / "gone")


def test_fifty_at_once(tmp_path: Path, bench: AgentBench) -> None:
    codes: list[int] = []

    def run(number: int) -> None:
        tag, log_file = f"{bench.tag}-{number}", tmp_path / f"{number}.log"
        command = bench.command("sh", "-c", f"echo {number}; exit {number}", log_file=log_file, tag=tag)
        codes.append(CommandRunner().run(command, list[str]().append, threading.Event()).exit_code)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == list(range(50))
    assert all((tmp_path / f"{number}.log").read_text() == f"{number}\n" for number in range(50))
