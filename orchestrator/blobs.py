"""Documents too big for the ledger: plans, targets, map inputs, reports. S3 in the hub, memory in tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchestrator.aws_errors import translate
from orchestrator.errors import NotFoundError


class Blobs(ABC):
    """Keeps documents by key."""

    bucket: str

    @abstractmethod
    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        """Write a document."""

    @abstractmethod
    def get(self, key: str) -> bytes:
        """Read a document; raise `NotFoundError` when it is not there."""

    @abstractmethod
    def get_version(self, key: str, version: str | None = None) -> tuple[bytes, str]:
        """Read one version of a document, the newest when none is named, and say which; raise `NotFoundError`."""


class S3Blobs(Blobs):
    """Keeps documents in the hub's bucket (versioned, encrypted, replicated to the peer Region)."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        """See `Blobs.put` (s3:PutObject)."""
        try:
            self._client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType=content_type)
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"s3.PutObject s3://{self.bucket}/{key}") from err

    def get(self, key: str) -> bytes:
        """See `Blobs.get` (s3:GetObject)."""
        try:
            body: bytes = self._client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as err:
            raise translate(err, f"s3.GetObject s3://{self.bucket}/{key}") from err
        return body

    def get_version(self, key: str, version: str | None = None) -> tuple[bytes, str]:
        """See `Blobs.get_version` (s3:GetObject, s3:GetObjectVersion)."""
        named = {"VersionId": version} if version else {}
        try:
            reply = self._client.get_object(Bucket=self.bucket, Key=key, **named)
            body: bytes = reply["Body"].read()
        except (ClientError, BotoCoreError) as err:
            at = f" version {version}" if version else ""
            raise translate(err, f"s3.GetObject s3://{self.bucket}/{key}{at}") from err
        return body, str(reply.get("VersionId", ""))


class MemoryBlobs(Blobs):
    """Keeps documents in a dict."""

    bucket = "memory"

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.versions: dict[str, list[bytes]] = {}

    def put(self, key: str, body: bytes, content_type: str = "application/json") -> None:
        """See `Blobs.put`."""
        self.documents[key] = body
        self.versions.setdefault(key, []).append(body)

    def get(self, key: str) -> bytes:
        """See `Blobs.get`."""
        if key not in self.documents:
            raise NotFoundError(f"there is no document {key}.")
        return self.documents[key]

    def get_version(self, key: str, version: str | None = None) -> tuple[bytes, str]:
        """See `Blobs.get_version`; versions are numbered from 1."""
        kept = self.versions.get(key, [])
        number = len(kept) if version is None else int(version) if version.isdigit() else 0
        if not 1 <= number <= len(kept):
            raise NotFoundError(f"there is no document {key}" + (f" version {version}." if version else "."))
        return kept[number - 1], str(number)
