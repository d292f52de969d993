"""Who computes batches: one narrow interface (`base`), and serial, threads and processes behind it."""
