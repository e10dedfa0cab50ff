"Run the tests of the notebooks with nbdev, each notebook in a process of its own, and count what really ran."
import argparse, os, sys, time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMON = ['nbdev.test', 'torch', 'timm', 'accelerate', 'pandas', 'pyarrow.parquet', 'sklearn.metrics', 'scipy.stats', 'matplotlib.pyplot', 'cv2']


def run(path, skip, force):
    "Passed or not, and seconds; None for a notebook that nbdev does not execute"
    from nbdev.test import test_nb
    passed, seconds = test_nb(path, skip_flags=skip, force_flags=force, basepath=ROOT)
    for child in active_children(): child.terminate()  # joblib's idle workers would keep this process for five minutes
    return (None if seconds == 0 else passed), seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('notebooks', nargs='*', type=Path, help='default: all of nbs/')
    parser.add_argument('--flags', default='', help='also run cells with these flags, such as "slow cuda"')
    parser.add_argument('--workers', type=int, default=2, help='notebooks at a time')
    args = parser.parse_args()

    from nbdev.config import get_config
    os.chdir(ROOT)
    # Each worker gets its share of the cores: more threads than cores slow all of them down.
    os.environ.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1) // args.workers)))
    os.environ.setdefault('MPLBACKEND', 'agg')
    files = [o.resolve() for o in args.notebooks] or sorted((ROOT/'nbs').glob('[!_.]*.ipynb'))
    if missing := [str(o) for o in files if not o.exists()]: sys.exit(f'no such notebook: {", ".join(missing)}')

    counts, start = {True: 0, False: 0, None: 0}, time.perf_counter()
    context = get_context('forkserver')
    context.set_forkserver_preload(COMMON)  # what most notebooks import, once instead of forty times
    with ProcessPoolExecutor(args.workers, mp_context=context, max_tasks_per_child=1) as pool:
        jobs = {pool.submit(run, o, get_config().tst_flags.split(), args.flags.split()): o for o in files}
        for job in as_completed(jobs):
            try: passed, seconds = job.result()
            except Exception as e: passed, seconds = False, 0.; print(f'{jobs[job].name}: {e!r}', file=sys.stderr)
            counts[passed] += 1
            print(f'{ {True: "passed", False: "FAILED", None: "not run"}[passed]:8} {seconds:5.0f} s  {jobs[job].name}', flush=True)
    print(f'{time.perf_counter() - start:.0f} s; notebooks that papermill runs instead: {counts[None]}')
    print(f'{counts[True]} passed, {counts[False]} failed')
    sys.exit(bool(counts[False]) or not counts[True])


if __name__ == '__main__': main()
