import os

from keeping import KEPT, flow
from telling import ARGUMENTS, tell, workers

executor, size = ARGUMENTS
it, plain = flow(cache=KEPT, executor=executor, cores=2), flow()


def same_epochs(count):
    return all(bool((next(it)[0] == next(plain)[0]).all()) for _ in range(count * len(it)))


before = same_epochs(2)
for entry in os.scandir(KEPT):
    os.truncate(entry.path, min(size, entry.stat().st_size))
tell(same=before and same_epochs(2), workers=workers())
it.close()
