import sys

import imageloom

imageloom.set_verbosity("info")
for options in (
    {"executor": "serial"},
    {"executor": "threads", "cores": 1},
    {"debug": True},
    {"executor": "threads"},
    {"executor": "threads"},
):
    generator = imageloom.ParallelImageDataGenerator(**options)
    with generator.flow_from_directory(sys.argv[1], (8, 8)) as iterator:
        next(iterator)
        told = iterator.report()
    print("then", file=sys.stderr)
    if "cores=0.25" in str(told):
        imageloom.set_verbosity(1)
