"""Say who you are: by argument, by environment, or by what ``docker login`` left behind.

python 13_credentials.py [HOST]
"""

from __future__ import annotations

import sys

from harborsync import Secret
from harborsync.credentials import Credential, StaticCredentials, default_credentials, explain

LOGINS = StaticCredentials(
    {"registry.example": Credential(username="robot", secret=Secret("hunter2"))}
)

if __name__ == "__main__":
    host = sys.argv[1] if sys.argv[1:] else "registry.example"
    environment = {
        "HARBORSYNC_MIRROR_EXAMPLE_USERNAME": "writer",
        "HARBORSYNC_MIRROR_EXAMPLE_PASSWORD": "hunter3",
    }
    # Without `environ`, the variables of this process count.
    chain = default_credentials(LOGINS, environ=environment)
    for each in (host, "mirror.example", "elsewhere.example"):
        print(explain(chain, each))
    print(chain.get("registry.example"))  # a secret never shows itself
    # Replicator(rules, credentials=LOGINS) and copy(…, credentials=LOGINS) put it first, too.
