"""Dashboards are global objects: made in one Region, they are there in all (their ARN names no Region)."""

from __future__ import annotations

from dataclasses import replace

from localaws.service import Call, Reply, Service, operation

HOME = "us-east-1"


class Dashboards(Service):
    """The four operations on dashboards, answered from one Region's store."""

    @operation("PutDashboard")
    def put_dashboard(self, call: Call) -> Reply:
        """Make or replace a dashboard."""
        return self._at_home(call)

    @operation("GetDashboard")
    def get_dashboard(self, call: Call) -> Reply:
        """Return a dashboard; raises ResourceNotFound."""
        return self._at_home(call)

    @operation("ListDashboards")
    def list_dashboards(self, call: Call) -> Reply:
        """Return the account's dashboards."""
        return self._at_home(call)

    @operation("DeleteDashboards")
    def delete_dashboards(self, call: Call) -> Reply:
        """Remove dashboards; raises ResourceNotFound."""
        return self._at_home(call)

    def _at_home(self, call: Call) -> Reply:
        return self.world.moto(replace(call, region=HOME))
