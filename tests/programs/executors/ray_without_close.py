import sys

from imageloom import ImageDataGenerator, set_verbosity

set_verbosity("info")
generator = ImageDataGenerator(executor="ray", cores=-1, preprocessing_function=lambda x: 255 - x)
it = generator.flow_from_directory(sys.argv[1], (24, 24), batch_size=4, seed=1)
print(sum(float(next(it)[0].sum()) for _ in range(3)), it.report().workers)
# It is not closed.
