import os
from contextlib import suppress

from keeping import KEPT, flow, same
from telling import ARGUMENTS, tell, workers

it = flow(cache=KEPT, cache_limit=100_000, executor=ARGUMENTS[0], cores=2)
it._plan.recipe(it.image_data_generator._freeze(), it.batch_size)  # makes the files, without content
with suppress(OSError), open(os.path.join(os.path.dirname(KEPT), "rest"), "wb", buffering=0) as rest:
    while True:
        rest.write(bytes(4096))
tell(same=same(it), hits=it.report().cache_hits, workers=workers())
it.close()
