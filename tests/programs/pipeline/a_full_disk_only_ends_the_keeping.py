import os
import resource

from keeping import KEPT, flow, same
from telling import ARGUMENTS, tell, workers

PARENT = os.getpid()


def full(x):  # its memory, too, is a file to a limit; so only the one who writes gets it
    if ARGUMENTS[0] == "serial" or os.getpid() != PARENT:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5 * 24 * 24 * 3, resource.RLIM_INFINITY))
    return x


it = flow(cache=KEPT, executor=ARGUMENTS[0], cores=2, preprocessing_function=full)
tell(same=same(it), hits=it.report().cache_hits, workers=workers())
it.close()
