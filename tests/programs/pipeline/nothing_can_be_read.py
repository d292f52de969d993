from imageloom import ImageDataGenerator

if __name__ == "__main__":
    for executor in ("serial", "threads", "processes"):
        generator = ImageDataGenerator(executor=executor, cores=1, on_bad_image="replace")
        with generator.flow_from_directory(".", (8, 8), batch_size=2, seed=1) as it:
            for _ in range(2):
                try:
                    next(it)
                except OSError as error:
                    print(type(error).__name__, error)
            assert len(it.bad_images) == 3
