"""All that knows a training framework: what Keras, TensorFlow, torch and JAX want to see.

What belongs here looks whether a framework is loaded, and imports one only where a user has asked for
something of that framework.
"""
