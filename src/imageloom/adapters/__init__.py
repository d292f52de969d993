"""What training frameworks want to see. Nothing here imports a framework: it is found, or it is not."""
