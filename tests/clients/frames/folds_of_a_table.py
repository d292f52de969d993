"""k-fold over the rows of a table: `iloc` gives each fold its own frames."""

import pandas as pd
from keras.preprocessing.image import ImageDataGenerator
from sklearn.model_selection import KFold, train_test_split

table = pd.read_csv("data/labels.csv")
gen = ImageDataGenerator(rescale=1 / 255)


def flow(frame, shuffle):
    return gen.flow_from_dataframe(
        frame, "data/train", target_size=(10, 10), batch_size=8, shuffle=shuffle, seed=3
    )


folds = []
for train_index, val_index in KFold(3).split(table):
    train, val = flow(table.iloc[train_index], True), flow(table.iloc[val_index], False)
    folds.append([train.n, val.n, train.class_indices, next(train), next(val)])
a, b = train_test_split(table, test_size=0.3, random_state=1, stratify=table["class"])
results = {"folds": folds, "files": [flow(a, False).filenames, flow(b, False).filenames]}
