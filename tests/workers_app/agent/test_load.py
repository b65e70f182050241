"""How busy the machine is."""

import os

from workers_app.agent.load import Load


def test_what_linux_tells_is_a_percentage():
    load = Load()
    load.cpu_percent()
    begun = os.times().elapsed
    while os.times().elapsed < begun + 0.05:
        sum(range(1000))
    assert 0 < (load.cpu_percent() or 0) <= 100
    assert 0 < (load.memory_percent() or 0) < 100


def test_processors_are_measured_from_call_to_call(tmp_path):
    load = Load(tmp_path)
    (tmp_path / "stat").write_text("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n")
    assert load.cpu_percent() == 20.0
    (tmp_path / "stat").write_text("cpu  190 0 100 700 110 0 0 0 50 0\ncpu0 1 2 3\n")
    assert load.cpu_percent() == 90.0
    assert load.cpu_percent() == 0.0


def test_without_proc_nothing_is_known(tmp_path):
    load = Load(tmp_path)
    assert (load.cpu_percent(), load.memory_percent()) == (None, None)
