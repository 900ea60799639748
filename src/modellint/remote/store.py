"""Objects in buckets: of S3 and its likes, of Google Cloud, of Azure."""

from __future__ import annotations

import configparser
import datetime
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from modellint.base.files import read_text
from modellint.remote.background import in_parallel
from modellint.remote.origin import (
    CHANGED,
    REMOVED,
    TRIES,
    FetchError,
    Patience,
    RemoteFile,
    Traffic,
    require_few,
)
from modellint.remote.urls import needs_extra

PAGE = 1000
"""Objects that one request lists."""
NO_BUCKET = "there is no such bucket"
_STATUS = re.compile(r"status(?: code)?:? (\d{3})", re.IGNORECASE)
_SCHEMES = {"s3a": "s3", "gcs": "gs", "abfs": "az", "abfss": "az"}
_USUAL: Mapping[str, Mapping[str, str]] = {
    "s3": {
        "key": "access_key_id",
        "secret": "secret_access_key",
        "token": "session_token",
        "endpoint_url": "endpoint",
        "anon": "skip_signature",
    },
    "gs": {
        "token": "application_credentials",
        "endpoint_url": "base_url",
        "anon": "skip_signature",
    },
    "az": {
        "account_name": "account_name",
        "account_key": "account_key",
        "sas_token": "sas_key",
        "tenant_id": "tenant_id",
        "client_id": "client_id",
        "client_secret": "client_secret",
        "anon": "skip_signature",
    },
}
"""Options of fsspec's configuration, and how obstore calls them."""
_CONNECTION = {
    "AccountName": "account_name",
    "AccountKey": "account_key",
    "SharedAccessSignature": "sas_key",
    "BlobEndpoint": "endpoint",
}
"""Parts of a connection string of Azure."""
_CONFIGURED = {"s3": ("s3",), "gs": ("gcs", "gs"), "az": ("abfs", "az")}
"""Protocols under which fsspec's configuration has them."""


class StoreFolder:
    """The objects of a bucket whose names begin alike."""

    checks_tags = True

    def __init__(self, scheme: str, top: str, seconds: float) -> None:
        _require_client(scheme)
        self._kind = _SCHEMES.get(scheme, scheme)
        place = top.partition("://")[2]
        self._bucket, _, self._prefix = place.partition("/")
        self._seconds = seconds
        self._patience = Patience(f"{self._kind}://{self._bucket}")
        self._opened: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": None}

    @property
    def _store(self) -> Any:
        if self._opened is None:
            with self._asked():
                self._opened = _opened(self._kind, self._bucket, self._prefix, self._seconds)
        return self._opened

    def look(self, name: str, head: int, traffic: Traffic) -> RemoteFile | None:
        import obstore

        traffic.add(requests=1)
        with self._asked():
            try:
                if not head:
                    return file_of(obstore.head(self._store, name))
                got = obstore.get(self._store, name, options={"range": (0, head)})
                first = got.bytes().to_bytes()
                traffic.add(nbytes=len(first))
                return file_of(got.meta, first)
            except (FileNotFoundError, obstore.exceptions.NotFoundError):
                return None
            except obstore.exceptions.GenericError:
                if not head:
                    raise
        return self.look(name, 0, traffic)  # of an empty object, there is no range

    def files(self, traffic: Traffic) -> Sequence[RemoteFile]:
        """List the top, and then all folders in it at once."""
        import obstore

        with self._asked():
            top = obstore.list_with_delimiter(self._store)
        traffic.add(requests=1 + len(top["objects"]) // PAGE)
        files = [file_of(each) for each in top["objects"]]
        for found in in_parallel(lambda at: self._below(at, traffic), top["common_prefixes"]):
            files += found
            require_few(files)
        return [each for each in files if each.name and not each.name.endswith("/")]

    def _below(self, folder: str, traffic: Traffic) -> list[RemoteFile]:
        import obstore

        files: list[RemoteFile] = []
        with self._asked():
            for page in obstore.list(self._store, f"{folder.rstrip('/')}/", chunk_size=PAGE):
                traffic.add(requests=1)
                files += map(file_of, page)
                require_few(files)
        return files

    def read(self, entry: RemoteFile, start: int, stop: int, traffic: Traffic) -> bytes:
        import obstore

        traffic.add(requests=1)
        options: dict[str, Any] = {"range": (start, stop)}
        if entry.tag.startswith('"'):
            options["if_match"] = entry.tag
        with self._asked():
            got = obstore.get(self._store, entry.name, options=options)  # type: ignore[arg-type]
            if got.meta["size"] != entry.size or file_of(got.meta).tag != entry.tag:
                raise FetchError(CHANGED)
            data: bytes = got.bytes().to_bytes()
        traffic.add(nbytes=len(data))
        if len(data) != stop - start:
            raise FetchError("the store sends different bytes than requested")
        return data

    def download(self, entry: RemoteFile, file: BinaryIO, traffic: Traffic) -> None:
        raise FetchError("the store only sends complete objects")

    def write(self, name: str, data: bytes) -> None:
        """Put an object into its place. Raises FetchError."""
        import obstore

        try:
            with self._asked():
                obstore.put(self._store, name, data)
        except FetchError as error:
            raise FetchError(NO_BUCKET if error.text == REMOVED else error.text) from error

    def close(self) -> None:
        self._opened = None

    @contextmanager
    def _asked(self) -> Iterator[None]:
        """Reword an error of the store's client, which may repeat addresses."""
        import obstore

        errors = obstore.exceptions
        self._patience.require()
        try:
            yield
            self._patience.answered()
        except FetchError:
            raise
        except (errors.PermissionDeniedError, errors.UnauthenticatedError) as error:
            raise FetchError("the store denies access") from error
        except errors.PreconditionError as error:
            raise FetchError(CHANGED) from error
        except (FileNotFoundError, errors.NotFoundError) as error:
            raise FetchError(REMOVED) from error
        except (errors.BaseError, OSError, ValueError) as error:
            raise self._failed(str(error)) from None

    def _failed(self, said: str) -> FetchError:
        status = _STATUS.search(said)
        if status is not None and status[1] in ("401", "403"):
            return FetchError("the store denies access")
        if status is not None and status[1] == "404":
            return FetchError(NO_BUCKET)
        if status is not None and status[1] in ("301", "307", "400"):
            return FetchError(
                f"the store answers with status {status[1]}; is its region or account set?"
            )
        if status is not None:
            return FetchError(f"the store fails (status {status[1]})")
        if re.search(r"timed? ?out", said):
            return self._patience.stalled(self._seconds)
        if "must be specified" in said.lower():
            return FetchError("its account is not named; AZURE_STORAGE_ACCOUNT_NAME names it")
        if "169.254.169.254" in said or "credential" in said.lower():
            return FetchError("there are no credentials for the store")
        if re.search(r"error sending request|connect|dns", said, re.IGNORECASE):
            return FetchError("the store cannot be reached")
        return FetchError("the store's answer cannot be understood")


def _require_client(scheme: str) -> None:
    """Raise UsageError without the package that reads stores."""
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise needs_extra(scheme) from None


def file_of(meta: Any, head: bytes = b"") -> RemoteFile:
    tag = _quoted(meta["e_tag"] or "") or meta["version"] or meta["last_modified"].isoformat()
    return RemoteFile(meta["path"], meta["size"], tag, head)


def _quoted(tag: str) -> str:
    """Return an ETag as answers have it: lists of Azure leave out its quotes."""
    return f'"{tag}"' if tag and '"' not in tag else tag


def _opened(kind: str, bucket: str, prefix: str, seconds: float) -> Any:
    from obstore import store

    config, provider = _credentials(kind)
    if kind == "az":
        bucket, at, account = bucket.partition("@")
        if at:
            config["account_name"] = account.partition(".")[0]
    variable = {"s3": "AWS_ENDPOINT_URL", "az": "AZURE_STORAGE_ENDPOINT"}.get(kind, "")
    endpoint = config.get("endpoint") or config.get("base_url") or os.environ.get(variable) or ""
    makers: dict[str, Callable[..., Any]] = {
        "s3": store.S3Store,
        "gs": store.GCSStore,
        "az": store.AzureStore,
    }
    wait = datetime.timedelta(seconds=seconds)
    given: dict[str, Any] = {"credential_provider": provider} if provider is not None else {}
    return makers[kind](
        bucket,
        prefix=prefix or None,
        config=config,
        client_options={
            "timeout": wait,
            "connect_timeout": wait,
            "allow_http": endpoint.startswith("http://"),
        },
        retry_config={"max_retries": TRIES - 1, "retry_timeout": wait * TRIES},
        **given,
    )


def _credentials(kind: str) -> tuple[dict[str, Any], Any]:
    """Return what fsspec's configuration or the AWS profile say, besides the environment, which
    obstore reads itself."""
    config = _configured(kind)
    if kind == "s3" and "access_key_id" not in config and "AWS_ACCESS_KEY_ID" not in os.environ:
        profile, provider = _aws_profile()
        return {**profile, **config}, provider
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if kind == "gs" and emulator and "base_url" not in config:
        place = emulator if "://" in emulator else f"http://{emulator}"
        return {**config, "base_url": place, "skip_signature": True}, None
    if kind == "az":
        told = os.environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
        return {**_connection(told), **config}, None
    return config, None


def _connection(text: str) -> dict[str, Any]:
    """Return the settings in an Azure connection string."""
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    return {ours: parts[its] for its, ours in _CONNECTION.items() if parts.get(its)}


def _configured(kind: str) -> dict[str, Any]:
    try:
        from fsspec.config import conf
    except ImportError:
        return {}
    found: dict[str, Any] = {}
    for protocol in _CONFIGURED[kind]:
        stated = conf.get(protocol, {})
        found |= _connection(str(stated.get("connection_string") or "")) if kind == "az" else {}
        found |= {ours: stated[name] for name, ours in _USUAL[kind].items() if stated.get(name)}
        client = stated.get("client_kwargs")
        if isinstance(client, dict) and client.get("region_name"):
            found["region"] = client["region_name"]
        if isinstance(client, dict) and client.get("endpoint_url"):
            found["endpoint"] = client["endpoint_url"]
    return found


def _aws_profile() -> tuple[dict[str, Any], Any]:
    """Return the settings of the AWS profile in ~/.aws, and who signs in if it has no keys."""
    name = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or "default"
    kept = _ini("AWS_SHARED_CREDENTIALS_FILE", "credentials", name)
    stated = _ini("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}")
    both = {**stated, **kept}
    names = {
        "aws_access_key_id": "access_key_id",
        "aws_secret_access_key": "secret_access_key",
        "aws_session_token": "session_token",
        "region": "region",
        "endpoint_url": "endpoint",
    }
    config: dict[str, Any] = {ours: both[its] for its, ours in names.items() if both.get(its)}
    signs_in = {"sso_session", "sso_start_url", "role_arn", "credential_process"} & both.keys()
    if "access_key_id" in config or not signs_in:
        return config, None
    try:
        import boto3
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise FetchError(f"the AWS profile {name!r} signs in through boto3: install it") from None
    return config, Boto3CredentialProvider(boto3.Session(profile_name=name))


def _ini(variable: str, usual: str, section: str) -> dict[str, str]:
    path = Path(os.environ.get(variable) or Path.home() / ".aws" / usual)
    parser = configparser.RawConfigParser()
    with suppress(OSError, ValueError, configparser.Error):
        parser.read_string(read_text(path, 1 << 20))
        return dict(parser[section]) if section in parser else {}
    return {}
