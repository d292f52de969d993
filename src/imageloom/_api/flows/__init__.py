"""The flow methods: from arguments to iterators. Nothing is started here."""
