"""`imageloom verify` with the arguments of this program, where no framework can be imported."""

import sys

from imageloom._cli import main

for name in ("keras", "tf_keras", "tensorflow", "torch", "jax"):
    sys.modules[name] = None
main(["verify", *sys.argv[1:]])
