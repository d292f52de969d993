"""The end of the pipeline on a device, for `finish="device"`, as one function of torch or JAX."""
