from keeping import KEPT, flow, same
from telling import tell, workers

it = flow(cache=KEPT, executor="processes", cores=1)
tell(same=same(it, 3), hits=it.report().cache_hits, workers=workers())
it.close()
