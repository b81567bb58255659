"""The Python workers' side of the benchmark's protocol (child.rs): JSON lines in, JSON lines out."""

import json
import multiprocessing
import pathlib
import re
import sys
import time

STATUS = pathlib.Path("/proc/self/status")
CLEAR_REFS = pathlib.Path("/proc/self/clear_refs")


def serve(version, render):
    """Answers requests until the input ends; `render(data, request)` returns the files' bytes.

    Many inputs are done by two processes from files to files.
    """
    _say({"version": version})
    for line in sys.stdin:
        _say(_measure(json.loads(line), render))


def _measure(request, render):
    is_many = request["task"] == "many"
    inputs = [] if is_many else [pathlib.Path(path).read_bytes() for path in request["inputs"]]
    repeat = request["repeat"]
    CLEAR_REFS.write_text("5")  # VmHWM starts again from the present size
    before = _status("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    if is_many:
        work = [(render, path, number, request) for number, path in enumerate(request["inputs"])]
        with multiprocessing.Pool(2) as pool:
            wall = time.perf_counter()
            pool.starmap(_from_file, work, chunksize=1)
            wall = time.perf_counter() - wall
        return _answer(request, time.process_time() - cpu, wall, before)
    for _ in range(repeat):
        outputs = [output for data in inputs for output in render(data, request)]
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    answer = _answer(request, cpu, wall, before)
    for file, output in zip(answer["files"], outputs, strict=True):
        pathlib.Path(file).write_bytes(output)
    return answer


def _from_file(render, path, number, request):
    outputs = render(pathlib.Path(path).read_bytes(), request)
    for file, output in zip(_files(request, number), outputs, strict=True):
        pathlib.Path(file).write_bytes(output)


def _files(request, number):
    return [str(pathlib.Path(request["out"], f"{number}-{width}.{request['format']}")) for width in request["widths"]]


def _answer(request, cpu, wall, before):
    return {
        "cpu_ms": cpu * 1e3 / request["repeat"],
        "wall_ms": wall * 1e3 / request["repeat"],
        "peak_kb": max(0, _status("VmHWM") - before),  # the kernel counts in batches
        "threads": _status("Threads"),
        "files": [file for number in range(len(request["inputs"])) for file in _files(request, number)],
    }


def _status(field):
    return int(re.search(rf"^{field}:\s+(\d+)", STATUS.read_text(), re.MULTILINE)[1])


def _say(message):
    print(json.dumps(message), flush=True)
