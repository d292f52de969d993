import sys

from imageloom import ParallelImageDataGenerator

silent = {"executor": "serial"}, {"executor": "threads", "cores": 1}, {"debug": True}
for options in (*silent, {"executor": "threads"}, {"executor": "threads"}):
    with ParallelImageDataGenerator(**options).flow_from_directory(sys.argv[1], (8, 8)) as iterator:
        next(iterator)
    print("then", options, file=sys.stderr)
