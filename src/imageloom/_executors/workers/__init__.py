"""Worker processes: each is started clean, one thread watches them all and replaces each that dies."""
