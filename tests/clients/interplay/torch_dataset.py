"""The iterator inside a `torch.utils.data.Dataset`, and a loader that takes whole batches."""

import torch
from keras.preprocessing.image import ImageDataGenerator


class Batches(torch.utils.data.Dataset):
    def __init__(self, flow):
        self.flow = flow

    def __len__(self):
        return len(self.flow)

    def __getitem__(self, index):
        x, y = self.flow[index]
        return torch.tensor(x).permute(0, 3, 1, 2), torch.tensor(y)


flow = ImageDataGenerator(rescale=1 / 255).flow_from_directory(
    "data/train", target_size=(10, 10), batch_size=5, shuffle=False
)
loader = torch.utils.data.DataLoader(Batches(flow), batch_size=None, shuffle=False, num_workers=0)
results = {"batches": [(x.numpy(), y.numpy()) for x, y in loader]}
