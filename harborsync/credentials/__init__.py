"""The porter: who we are to each registry.

    >>> from harborsync import Secret
    >>> from harborsync.credentials import Credential, StaticCredentials, default_credentials
    >>> login = Credential(username="robot", secret=Secret("hunter2"))
    >>> chain = default_credentials({"registry.example": login}, environ={})
    >>> chain.get("registry.example").username
    'robot'

A login is looked for in the argument, then in ``HARBORSYNC_*`` variables, then where docker
and podman keep theirs; without one we are anonymous. Nothing is ever written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync._lazy import lazy_names

if TYPE_CHECKING:
    from harborsync.credentials.aliyun import AliyunIdentity as AliyunIdentity
    from harborsync.credentials.aliyun import RamRole as RamRole
    from harborsync.credentials.aws import AwsIdentity as AwsIdentity
    from harborsync.credentials.aws import AwsRole as AwsRole
    from harborsync.credentials.base import Anonymous as Anonymous
    from harborsync.credentials.base import Chain as Chain
    from harborsync.credentials.base import Credential as Credential
    from harborsync.credentials.base import CredentialSource as CredentialSource
    from harborsync.credentials.base import Kind as Kind
    from harborsync.credentials.base import Refreshing as Refreshing
    from harborsync.credentials.command import CommandCredentials as CommandCredentials
    from harborsync.credentials.defaults import Named as Named
    from harborsync.credentials.defaults import default_credentials as default_credentials
    from harborsync.credentials.defaults import explain as explain
    from harborsync.credentials.docker_config import DockerConfig as DockerConfig
    from harborsync.credentials.env import EnvironmentCredentials as EnvironmentCredentials
    from harborsync.credentials.google import AccessToken as AccessToken
    from harborsync.credentials.google import GoogleIdentity as GoogleIdentity
    from harborsync.credentials.google import json_key_login as json_key_login
    from harborsync.credentials.static import CallableCredentials as CallableCredentials
    from harborsync.credentials.static import StaticCredentials as StaticCredentials
    from harborsync.credentials.tencent import CamRole as CamRole
    from harborsync.credentials.tencent import TencentIdentity as TencentIdentity

_NAMES: Final = {
    "AccessToken": "harborsync.credentials.google",
    "AliyunIdentity": "harborsync.credentials.aliyun",
    "Anonymous": "harborsync.credentials.base",
    "AwsIdentity": "harborsync.credentials.aws",
    "AwsRole": "harborsync.credentials.aws",
    "CallableCredentials": "harborsync.credentials.static",
    "CamRole": "harborsync.credentials.tencent",
    "Chain": "harborsync.credentials.base",
    "CommandCredentials": "harborsync.credentials.command",
    "Credential": "harborsync.credentials.base",
    "CredentialSource": "harborsync.credentials.base",
    "DockerConfig": "harborsync.credentials.docker_config",
    "EnvironmentCredentials": "harborsync.credentials.env",
    "GoogleIdentity": "harborsync.credentials.google",
    "Kind": "harborsync.credentials.base",
    "Named": "harborsync.credentials.defaults",
    "RamRole": "harborsync.credentials.aliyun",
    "Refreshing": "harborsync.credentials.base",
    "StaticCredentials": "harborsync.credentials.static",
    "TencentIdentity": "harborsync.credentials.tencent",
    "default_credentials": "harborsync.credentials.defaults",
    "explain": "harborsync.credentials.defaults",
    "json_key_login": "harborsync.credentials.google",
}

__all__ = sorted(_NAMES)  # noqa: PLE0605 - one list, not two to keep equal

__getattr__ = lazy_names(__name__, _NAMES)
