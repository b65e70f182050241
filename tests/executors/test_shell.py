"""What a command meets: its environment, its streams, its limits; and how its end is told."""

from __future__ import annotations

import errno
import os
import resource
import sys
from pathlib import Path
from typing import Any

import pytest

from executors.base import Outcome, Unable
from executors.keeper import spawn
from executors.keeper.client import OPEN_FILES
from executors.shell import Shell
from tests.executors.helpers import Log, context

ORIGINAL_OPEN_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def output_of(shell: Shell, command: str, **changes: Any) -> str:
    log = Log()
    outcome = await shell.run(context(command, log, **changes))
    assert outcome.succeeded, (outcome, log.text)
    return log.text


async def failure_of(shell: Shell, command: str, **config: Any) -> Outcome:
    outcome = await shell.run(context(command, config=config))
    assert not outcome.succeeded
    return outcome


async def test_both_streams_come_in_the_order_they_were_written(shell: Shell) -> None:
    script = "; ".join(f"echo {n} >&{1 + n % 2}" for n in range(100))
    assert await output_of(shell, script) == "".join(f"{n}\n" for n in range(100))


async def test_output_just_before_the_end_is_not_lost(shell: Shell) -> None:
    for _ in range(20):
        text = await output_of(shell, "head -c 200000 /dev/zero | tr '\\0' x; printf end >&2")
        assert text == "x" * 200_000 + "end"


async def test_standard_input_is_empty(shell: Shell) -> None:
    assert await output_of(shell, "cat; readlink /proc/self/fd/0") == "/dev/null\n"


async def test_only_three_files_are_open(shell: Shell) -> None:
    text = await output_of(shell, "/bin/ls", config={"args": ["/proc/self/fd"]})
    assert text.split() == ["0", "1", "2", "3"]  # 3 is the directory that ls reads.


async def test_bytes_pass_as_they_are(shell: Shell) -> None:
    log = Log()
    await shell.run(context(r"printf 'a\000b\377'", log))
    assert b"".join(log.chunks) == b"a\0b\xff"


async def test_the_workers_environment_stays_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://user:s3cret@broker")
    monkeypatch.setenv("LC_TIME", "de_DE.UTF-8")
    shell = Shell()
    await shell.start()
    try:
        text = await output_of(shell, "env; cat /proc/$PPID/environ | tr '\\0' '\\n'")
    finally:
        await shell.close()
    assert "s3cret" not in text
    assert "LC_TIME=de_DE.UTF-8" in text
    names = {line.partition("=")[0] for line in text.splitlines()}
    allowed = {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "TZ",
        "TMPDIR",
        "PWD",
        "LD_LIBRARY_PATH",
        "_",
        "SHLVL",
    }
    assert {name for name in names if not name.startswith(("SCHEDULER_", "LC_"))} <= allowed


async def test_the_command_is_told_about_its_attempt(shell: Shell) -> None:
    params = {"day": "2026-01-02", "count": 3, "dry": True, "none": None, "list": [1], "not-a-name": "x", "ü": "y"}
    trace = {"traceparent": "00-abc-def-01", "tracestate": "a=b"}
    text = await output_of(
        shell, "env", params=params, trace=trace, attempt=2, config={"env": {"MINE": "yes\nand more"}}
    )
    lines = text.splitlines()
    for line in (
        "SCHEDULER_RUN_ID=0198-run",
        "SCHEDULER_ATTEMPT=2",
        "SCHEDULER_TASK=nightly",
        "SCHEDULER_SCHEDULED_FOR=2026-01-02T03:04:05Z",
        "SCHEDULER_PARAM_DAY=2026-01-02",
        "SCHEDULER_PARAM_COUNT=3",
        "SCHEDULER_PARAM_DRY=true",
        "SCHEDULER_PARAM_NONE=",
        "TRACEPARENT=00-abc-def-01",
        "TRACESTATE=a=b",
        "MINE=yes",
        "and more",
    ):
        assert line in lines
    assert '"list":[1]' in text
    assert "SCHEDULER_PARAM_LIST" not in text
    assert "SCHEDULER_PARAM_NOT" not in text
    assert "SCHEDULER_PARAM_Ü" not in text


async def test_working_directory(shell: Shell, tmp_path: Path) -> None:
    assert await output_of(shell, "pwd", config={"cwd": str(tmp_path)}) == f"{tmp_path}\n"
    assert await output_of(shell, "pwd -P") == f"{Path.cwd()}\n"


async def test_arguments_reach_the_program_without_a_shell(shell: Shell) -> None:
    arguments = ["%s|", "$HOME", "a b", "", "*", "ü", "`id`", "'"]
    assert await output_of(shell, "printf", config={"args": arguments}) == "$HOME|a b||*|ü|`id`|'|"


async def test_a_program_is_looked_up_in_the_tasks_path(shell: Shell, tmp_path: Path) -> None:
    program = tmp_path / "greet"
    program.write_text("#!/bin/sh\necho hello from $0\n")
    program.chmod(0o755)
    assert "hello" in await output_of(shell, "greet", config={"args": [], "env": {"PATH": str(tmp_path)}})
    assert "hello" in await output_of(shell, "./greet", config={"args": [], "cwd": str(tmp_path)})


async def test_a_program_that_does_not_exist(shell: Shell) -> None:
    assert "“no-such-program” was not found in PATH" in (await failure_of(shell, "no-such-program", args=[])).error
    assert (await failure_of(shell, "/no/such", args=[])).error == "The program “/no/such” does not exist."
    assert (await failure_of(shell, "no-such-program")).exit_code == 127


async def test_a_program_that_cannot_be_run(shell: Shell, tmp_path: Path) -> None:
    plain, orphan, empty = tmp_path / "plain", tmp_path / "orphan", tmp_path / "empty"
    plain.write_text("#!/bin/sh\n")
    orphan.write_text("#!/no/such/interpreter\n")
    empty.write_text("echo no first line\n")
    orphan.chmod(0o755)
    empty.chmod(0o755)
    assert "is not executable" in (await failure_of(shell, str(plain), args=[])).error
    assert "interpreter" in (await failure_of(shell, str(orphan), args=[])).error
    assert "first line" in (await failure_of(shell, str(empty), args=[])).error
    assert "is not executable" in (await failure_of(shell, str(tmp_path), args=[])).error


async def test_a_working_directory_that_cannot_be_entered(shell: Shell, tmp_path: Path) -> None:
    assert (await failure_of(shell, "true", cwd="/no/such")).error == (
        "The working directory /no/such cannot be entered: No such file or directory."
    )
    file = tmp_path / "file"
    file.touch()
    assert "Not a directory" in (await failure_of(shell, "true", cwd=str(file))).error
    assert await output_of(shell, "pwd -P") == f"{Path.cwd()}\n"


async def test_a_system_that_starts_no_more_processes_is_not_the_commands_fault(shell: Shell) -> None:
    assert shell.keeper_pid
    before = resource.prlimit(shell.keeper_pid, resource.RLIMIT_AS)
    resource.prlimit(shell.keeper_pid, resource.RLIMIT_AS, (1 << 20, before[1]))
    with pytest.raises(Unable, match="cannot start another process now"):
        await shell.run(context("true"))
    resource.prlimit(shell.keeper_pid, resource.RLIMIT_AS, before)
    assert (await shell.run(context("true"))).succeeded


async def test_a_worker_that_may_open_no_more_files_is_not_the_commands_fault(shell: Shell) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, before[1]))
    try:
        with pytest.raises(Unable, match="pipe"):
            await shell.run(context("true"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert (await shell.run(context("true"))).succeeded


async def test_without_its_helper_the_worker_is_unable(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = Shell()
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(Unable, match="helper process"):
            await shell.start()
    await shell.start()
    assert (await shell.run(context("true"))).succeeded
    await shell.close()


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EAGAIN, spawn.Exhausted),
        (errno.ENOMEM, spawn.Exhausted),
        (errno.ENFILE, spawn.Exhausted),
        (errno.E2BIG, spawn.Refused),
        (errno.EACCES, spawn.Refused),
        (errno.ENOENT, spawn.Refused),
    ],
)
def test_whose_fault_it_is(monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]) -> None:
    def refuse(*args: Any, **options: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_spawn", refuse)
    with pytest.raises(spawn.Refused) as refused:
        spawn.start(["/no/such"], {}, None, "", 1)
    assert type(refused.value) is kind


async def test_exit_codes(shell: Shell) -> None:
    outcome = await failure_of(shell, "exit 3")
    assert (outcome.exit_code, outcome.error) == (3, "The command exited with code 3.")
    assert (await shell.run(context("exit 3", config={"success_exit_codes": [0, 3]}))).succeeded
    assert not (await shell.run(context("true", config={"success_exit_codes": [3]}))).succeeded


async def test_signals(shell: Shell) -> None:
    outcome = await failure_of(shell, "kill -9 $$")
    assert (outcome.exit_code, outcome.error) == (-9, "The command was ended by signal 9 (SIGKILL).")
    assert "SIGRTMIN+1" in (await failure_of(shell, "kill -s RTMIN+1 $$ || kill -35 $$")).error


async def test_no_signal_is_ignored_or_blocked(shell: Shell) -> None:
    text = await output_of(shell, "grep", config={"args": ["-E", "Sig(Blk|Ign)", "/proc/self/status"]})
    blocked, ignored = (int(line.split()[1], 16) for line in text.splitlines())
    libcs_own = 0b11 << 31  # glibc leaves the two signals that it keeps for itself ignored, which harms nobody.
    assert (blocked, ignored & ~libcs_own) == (0, 0)


async def test_umask_and_core_limit(shell: Shell) -> None:
    assert (await output_of(shell, "umask; ulimit -c")).split() == ["0077", "0"]


async def test_the_limit_of_open_files_is_the_workers_original_one(shell: Shell) -> None:
    probe = f"{sys.executable} -c 'import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))'"
    soft, hard = map(int, (await output_of(shell, probe)).split())
    ours, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == most
    assert ours >= min(OPEN_FILES, most)
    assert soft == ORIGINAL_OPEN_FILES


async def test_cpu_limit(shell: Shell) -> None:
    outcome = await failure_of(shell, "while :; do :; done", cpu_seconds=1)
    assert outcome.error == "The command was ended by signal 24 (SIGXCPU): it used more than 1 s of CPU time."


async def test_memory_limit(shell: Shell) -> None:
    script = "import sys; x = bytearray(int(sys.argv[1]) << 20)"
    arguments = ["-I", "-S", "-c", script]
    big = await shell.run(context(sys.executable, config={"args": [*arguments, "500"], "memory_mb": 200}))
    small = await shell.run(context(sys.executable, config={"args": [*arguments, "5"], "memory_mb": 200}))
    assert (big.succeeded, small.succeeded) == (False, True)


async def test_open_files_limit(shell: Shell) -> None:
    assert await output_of(shell, "ulimit -n", config={"open_files": 17}) == "17\n"
    assert await output_of(
        shell, "sh", config={"args": ["-c", "ulimit -n; echo $0 $1", "a", "b c"], "open_files": 17}
    ) == ("17\na b c\n")


async def test_nul_bytes(shell: Shell) -> None:
    assert "NUL" in (await failure_of(shell, "echo \0")).error
    outcome = await shell.run(context("true", params={"bad": "a\0b"}))
    assert "null byte" in outcome.error
    assert (await shell.run(context("true"))).succeeded


async def test_text_that_is_no_text(shell: Shell) -> None:
    outcome = await shell.run(context("true", task="half a \ud800 pair"))
    assert not outcome.succeeded
    assert (await shell.run(context("true"))).succeeded


async def test_a_large_environment(shell: Shell) -> None:
    value = "x" * 60_000
    assert await output_of(shell, 'echo "${#LARGE}"', config={"env": {"LARGE": value}}) == "60000\n"
    assert await output_of(shell, 'echo "${#SCHEDULER_PARAM_P}"', params={"p": value}) == "60000\n"


async def test_too_much_for_the_system_is_a_sentence(shell: Shell) -> None:
    outcome = await shell.run(context("true", params={"p": ["x" * 140_000]}))
    assert "larger than the system allows" in outcome.error
    outcome = await shell.run(context("true", params={"p": ["x" * 300_000]}))
    assert "pass a file instead" in outcome.error
    assert (await shell.run(context("true"))).succeeded


async def test_before_start_and_after_close_nothing_runs() -> None:
    assert not (await Shell().run(context("true"))).succeeded


# Results


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ('echo "{\\"rows\\": 3}"', {"rows": 3}),
        ("echo working; echo; echo 42; echo", 42),
        ("echo '[1]'; echo done", None),
        ("true", None),
        ('echo \'{"a": 1}\' > "$SCHEDULER_RESULT_FILE"; echo 5', {"a": 1}),
        ('printf null > "$SCHEDULER_RESULT_FILE"; echo 5', None),
        ("head -c 20000 /dev/zero | tr '\\0' 1", None),
        ("head -c 20000 /dev/zero | tr '\\0' x; echo; echo 7", 7),
        ('echo x > "$SCHEDULER_RESULT_FILE"', {"dropped": "SCHEDULER_RESULT_FILE is not JSON."}),
        ('head -c 9000 /dev/zero > "$SCHEDULER_RESULT_FILE"', "has more than 8,192 bytes"),
        ('ln -s /etc/hostname "$SCHEDULER_RESULT_FILE"', "cannot be read"),
        ('mkfifo "$SCHEDULER_RESULT_FILE"', "it is no plain file"),
    ],
)  # fmt: skip
async def test_what_a_command_says_is_its_result(shell: Shell, command: str, result: Any) -> None:
    outcome = await shell.run(context(command))
    assert outcome.succeeded
    if isinstance(result, str):
        assert result in outcome.result["dropped"]
    else:
        assert outcome.result == result


async def test_a_command_that_fails_may_have_a_result(shell: Shell) -> None:
    outcome = await shell.run(context("echo '{\"bad\": 2}'; exit 3"))
    assert (outcome.exit_code, outcome.result) == (3, {"bad": 2})


async def test_nothing_is_left_of_the_file_and_nobody_else_can_read_it(shell: Shell) -> None:
    file = '"$SCHEDULER_RESULT_FILE"'
    mode, path = (await output_of(shell, f'echo 1 > {file}; stat -c %a "$(dirname {file})"; echo {file}')).split()
    assert mode == "700"
    left = f'[ ! -e {path} ] && [ -d "$(dirname {path})" ]'
    assert (await shell.run(context(left))).succeeded
    await shell.close()
    await shell.start()
    assert (await shell.run(context(f'[ ! -e "$(dirname {path})" ]'))).succeeded
