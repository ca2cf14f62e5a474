"""Amazon FSx: file systems, backups, volumes, snapshots, data repositories.

moto keeps file systems, backups and all tags (so that tagging and search find them); the rest, and what time
does, is ours. `base` has what the handlers share.
"""

from localaws.services.fsx.service import FsxService

__all__ = ["FsxService"]
