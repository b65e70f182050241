"""The same scheduler on every database and every broker, by configuration alone."""

import pytest

from services import load
from tests.acceptance.harness import Stack, postgresql_database, sqlite_database
from tests.brokers import address
from tests.waiting import wait_until

pytestmark = pytest.mark.acceptance


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request, tmp_path) -> tuple[str, str]:
    if request.param == "sqlite":
        return sqlite_database(tmp_path)
    return postgresql_database(request.getfixturevalue("postgresql").url)


@pytest.fixture
def any_stack(make_stack, any_broker, any_database) -> Stack:
    stack = make_stack(broker_url=any_broker, database=any_database)
    stack.web()
    stack.dispatcher()
    stack.worker()
    return stack


def test_runs_go_through_every_part(any_stack: Stack):
    stack = any_stack
    run = stack.run(stack.task('echo "run $SCHEDULER_RUN_ID attempt $SCHEDULER_ATTEMPT"', name="said"))
    assert stack.wait_for(run)["exit_code"] == 0
    assert stack.log(run) == f"run {run} attempt 1\n"
    many = stack.task("true", name="many", max_attempts=2)
    stack.post("runs/bulk/", [{"task": many}] * 300)
    wait_until(lambda: stack.counts(many) == {"succeeded": 300}, 60, "300 runs have succeeded")
    failing = stack.run(stack.task("exit 3", name="failing", max_attempts=2, retry_delay_seconds=0.1))
    assert [a["exit_code"] for a in stack.wait_for(failing, "failed")["attempts"]] == [3, 3]
    long = stack.run(stack.task("sleep 68.1", name="long"))
    stack.wait_for(long, "running")
    stack.post(f"runs/{long}/cancel/")
    stack.wait_for(long, "cancelled")
    ticking = stack.task("true", name="ticking", schedule="* * * * * *")
    wait_until(lambda: stack.counts(ticking).get("succeeded", 0) >= 2, 20, "the schedule fires")
    assert all(run["attempt"] == 1 for run in stack.get(f"runs/?task={many}&page_size=500")["results"])
    wait_until(stack.pings, 20, "the worker answers Celery's ping")


def test_everything_goes_over_encrypted_connections(make_stack, broker_kind, broker_server):
    certificates = load().certificates
    files = {
        "BROKER_CA_FILE": str(certificates.ca),
        "BROKER_CERTIFICATE_FILE": str(certificates.client),
        "BROKER_KEY_FILE": str(certificates.client_key),
    }
    url = address(broker_kind, broker_server.tls_url).partition("?")[0]
    stack = make_stack(broker_url=url, **files)
    stack.web()
    stack.dispatcher()
    stack.worker(**files)
    stack.wait_for(stack.run(stack.task("true")))
    wait_until(stack.pings, 20, "the worker answers Celery's ping")
