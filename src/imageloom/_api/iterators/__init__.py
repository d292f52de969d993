"""The iterators: Keras' protocol over the stream, for files (`files`) and for arrays (`arrays`)."""
