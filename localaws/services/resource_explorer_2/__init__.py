"""AWS Resource Explorer: what exists and how it is tagged, seen through indexes and views.

`collect` reads the live state of everything else, `index` keeps what each Region last reported, `query`
understands filters, `views` holds indexes and views, `responses` the handlers.
"""

from localaws.services.resource_explorer_2.responses import ResourceExplorerService

__all__ = ["ResourceExplorerService"]
