"""Where files are kept: under ``var/media``, or in object storage that speaks S3 when a bucket is named."""

from pathlib import Path
from typing import Any

from environs import Env


def storage_settings(env: Env, media: Path) -> dict[str, Any]:
    """The default entry of Django's ``STORAGES``.

    ``STORAGE_BUCKET`` names the bucket; empty, files lie in the folder ``media``. Beside it ``STORAGE_ENDPOINT``
    (empty: Amazon's own), ``STORAGE_REGION``, ``STORAGE_ACCESS_KEY`` and ``STORAGE_SECRET_KEY`` (empty: what the
    machine's role gives) and ``STORAGE_PREFIX``, the folder in the bucket.
    """
    bucket = env.str("STORAGE_BUCKET", "")
    if not bucket:
        return {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(media)}}
    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": env.str("STORAGE_ENDPOINT", "") or None,
            "region_name": env.str("STORAGE_REGION", "") or None,
            "access_key": env.str("STORAGE_ACCESS_KEY", "") or None,
            "secret_key": env.str("STORAGE_SECRET_KEY", "") or None,
            "location": env.str("STORAGE_PREFIX", "media"),
            # Nobody reads a file by its address alone, and no file is ever written over.
            "default_acl": "private",
            "querystring_auth": True,
            "querystring_expire": 300,
            "file_overwrite": False,
            "client_config": _client(own_server=bool(env.str("STORAGE_ENDPOINT", ""))),
        },
    }


def _client(*, own_server: bool) -> Any:
    """How the client talks: it never waits for long, so that a storage that hangs keeps nobody from anything else."""
    from botocore.config import Config  # takes as long to load as half the settings, and most never need it

    return Config(
        connect_timeout=3,
        read_timeout=20,
        retries={"mode": "standard", "total_max_attempts": 3},
        signature_version="s3v4",
        # A server of one's own is reached by its address; Amazon's answers to the bucket's name.
        s3={"addressing_style": "path" if own_server else "auto"},
        # What Amazon adds of late, other servers do not all understand.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
