import os
import signal

from keeping import KEPT, flow
from telling import ARGUMENTS, tell, workers

it = flow(cache=KEPT, executor="processes", cores=2)
for _ in range(ARGUMENTS[0]):
    next(it)
tell(workers=workers())
os.kill(os.getpid(), signal.SIGKILL)
