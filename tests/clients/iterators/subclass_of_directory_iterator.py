"""`DirectoryIterator` with a batch method of its own, which adds the names of the files."""

from keras.preprocessing.image import DirectoryIterator, ImageDataGenerator


class WithNames(DirectoryIterator):
    def _get_batches_of_transformed_samples(self, index_array):
        batch = super()._get_batches_of_transformed_samples(index_array)
        return (*batch, [self.filenames[i] for i in index_array])


flow = WithNames(
    "data/train", ImageDataGenerator(horizontal_flip=True), target_size=(10, 10), batch_size=6, seed=1
)
results = {"batches": [next(flow) for _ in range(5)], "len": len(flow), "classes": flow.class_indices}
