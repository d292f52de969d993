import resource

from telling import FLOW, FOLDER, tell, workers

from imageloom import ImageDataGenerator

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


def flow(executor):
    generator = ImageDataGenerator(cores=2, rotation_range=20, executor=executor)
    return generator.flow_from_directory(FOLDER, **FLOW)


flows = [flow("serial"), flow("processes"), flow("processes")]
same = []
for _ in range(3 * len(flows[0])):
    plain, one, other = (next(it)[0] for it in flows)
    same.append(bool((plain == one).all() and (plain == other).all()))
tell(same=all(same), batches=len(same), workers=workers())
