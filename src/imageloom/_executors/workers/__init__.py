"""Worker processes: started clean, watched by one thread, and replaced one by one when they die."""
