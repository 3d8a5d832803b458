"""A cluster of two worker processes that is killed in the middle, and goes on from its cache."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphfusion.datasets import load
from graphfusion.recordings import extract
from tests.recordings.made import RATE, Power, tone, write_sound

pd = pytest.importorskip("pandas", reason="needs the extra `recordings`")
pytest.importorskip("soundfile", reason="needs the extra `recordings`")

SIZE = 12
PROGRAM = """
import sys, time
from pathlib import Path
from graphfusion.datasets import save
from graphfusion.recordings import extract
from tests.recordings.made import Power

class Slow(Power):
    def __call__(self, segments):
        time.sleep({wait})
        return super().__call__(segments)

def main(folder):
    if {cluster}:
        from distributed import Client, LocalCluster
        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
        executor = Client(cluster).get_executor()
    else:
        executor = None
    corpus = extract(folder / "t.csv", {{"audio": Slow()}}, cache=folder / "f", executor=executor)
    save(corpus, folder / "corpus.safetensors")

if __name__ == "__main__":
    main(Path(sys.argv[1]))
"""


def run(folder, wait, cluster):
    program = folder / "program.py"
    program.write_text(PROGRAM.format(wait=wait, cluster=cluster))
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, str(program), str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("cluster", [False, True], ids=["threads", "distributed"])
def test_what_was_killed_goes_on(tmp_path, cluster):
    if cluster:
        pytest.importorskip("distributed", reason="makes a cluster")
    rows = ["conversation,speaker,start,end,audio"]
    for number in range(SIZE):
        write_sound(tmp_path / f"{number}.wav", tone(1.0, 100 + 10 * number), RATE)
        rows += [f"c{number},A,{u / 4},{(u + 1) / 4},{number}.wav" for u in range(4)]
    (tmp_path / "t.csv").write_text("\n".join(rows))

    first = run(tmp_path, wait=2, cluster=cluster)
    kept = tmp_path / "f"
    limit = time.monotonic() + 240
    while not (kept.exists() and len(list(kept.glob("*.npz"))) >= 3):
        assert first.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.2)
    os.killpg(first.pid, signal.SIGKILL)  # workers and all
    first.wait()
    done = {path.name: path.stat().st_mtime_ns for path in kept.glob("*.npz")}
    assert 3 <= len(done) < SIZE

    if cluster:
        assert run(tmp_path, wait=0, cluster=True).wait(300) == 0
        corpus = load(tmp_path / "corpus.safetensors")
    else:
        corpus = extract(tmp_path / "t.csv", {"audio": Power()}, cache=kept)
    assert len(list(kept.glob("*.npz"))) == SIZE
    for name, when in done.items():  # taken as they were
        assert (kept / name).stat().st_mtime_ns == when
    expected = extract(tmp_path / "t.csv", {"audio": Power()})
    assert corpus.fingerprint == expected.fingerprint
