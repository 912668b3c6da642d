import subprocess
import sys

BUSY = """
import os, time
from store.processes import worker_pool
with worker_pool(1) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    time.sleep(60)
"""


def test_a_worker_ends_with_a_process_that_is_killed() -> None:
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:  # noqa: S603
        assert owner.stdout is not None
        assert int(owner.stdout.readline()) != owner.pid
        owner.kill()
        owner.communicate(timeout=10)  # the worker has the pipe, too, and so its end
