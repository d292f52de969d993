import nbformat
from nbclient import NotebookClient

notebook = nbformat.read("tour.ipynb", 4)
NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
nbformat.write(notebook, "executed.ipynb")
