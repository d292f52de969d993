import sys

import imageloom

assert "PIL" not in sys.modules

import imageloom._api.previews
import imageloom._cli
import imageloom._preview.sheet

assert callable(imageloom.preview)
assert "preview" in dir(imageloom)
