"""The flow methods, which make iterators from arguments. They start no workers."""
