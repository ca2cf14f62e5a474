"""OpenSearch Service: the control plane on moto's domains, and each domain's own HTTP interface.

A product reaches a domain with signed requests (SigV4, service `es`) to `https://{Endpoint}`, Endpoint as
DescribeDomain shows it, and needs nothing else here:

- Without a server (clients of `LocalAws.session`) Endpoint is `search-<domain>-<hash>.<region>.es.localhost`, and the
  Host of the request chooses the domain. A botocore client with `endpoint_url=f"https://{Endpoint}"` is answered
  in-process like every other client of the session.
- With a server Endpoint is `localhost:<port>/_opensearch/search-<domain>-<hash>.<region>`: no name has to be resolved,
  and the path chooses the domain. The port speaks TLS as well as plain HTTP; its certificate is in the bundle that
  `Server.environment` names in the SDKs' standard variable AWS_CA_BUNDLE. So `https://` holds here, too.
- The Endpoint of a domain in a VPC begins with `vpc-` instead, and it answers functions in that VPC only: their requests tell
  where they come from (header X-Localaws-Vpc, which the Lambda runtime adds; here there is no network that could tell).
- Both forms are served in both cases. A product that sends such requests to AWS_ENDPOINT_URL with the domain's Host
  header is served as well.

`state` holds what moto lacks, `domains` the life of a domain, `connections` the links between domains, `indices` what
is written and replicated, `replication` the cross-cluster plugin, `peers` managed replication, `snapshots` the
repositories, `http` the domain's interface.
"""

from localaws.services.opensearch.service import OpenSearchService

__all__ = ["OpenSearchService"]
