"""The adapters to training frameworks: Keras, TensorFlow, torch and JAX.

Code belongs here if it depends on the interface of a framework. It checks whether a framework is
loaded, and imports a framework only if the user calls something that needs it. `finish` has the steps
that a device takes over from the workers.
"""
