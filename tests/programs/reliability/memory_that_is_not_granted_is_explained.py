import resource

from memory import fails
from telling import tell

resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
tell(**fails())
