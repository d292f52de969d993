import resource

from telling import FLOW, FOLDER, tell

from imageloom import ImageDataGenerator

resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
generator = ImageDataGenerator(cores=2)
shapes = set()
for _ in range(10):
    with generator.flow_from_directory(FOLDER, **FLOW) as it:
        shapes.add(next(it)[0].shape)
tell(shapes=sorted(shapes))
