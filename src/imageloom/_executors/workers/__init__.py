"""Worker processes: one thread starts them, watches them and replaces those that die."""
