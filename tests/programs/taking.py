"""Ways in which frameworks take an array of NumPy's, most of them without a copy."""


def way_of(name):
    """Imports a framework; returns how it takes an array, and how what it has taken is changed."""
    match name:
        case "torch" | "torch-dlpack":
            import torch

            take = torch.from_numpy if name == "torch" else torch.from_dlpack
            return take, lambda taken: taken.add_(1)
        case "jax" | "jax-dlpack":
            import jax

            take = jax.numpy.asarray if name == "jax" else jax.dlpack.from_dlpack
            return lambda array: jax.block_until_ready(take(array)), id  # it never changes
        case "tensorflow":
            import tensorflow as tf

            return tf.convert_to_tensor, id
