"""The error tree. Every message says what, where, and what to do.

    ZiliuError                    exit code 1
    ├── ConfigError               2  a key, its file and line, what is allowed
    ├── ContractError             3
    │   ├── SchemaMismatch        3  a frame is not what its schema says
    │   └── GateFailed            3  a dataset breaks its contract; the report is written
    ├── StageError                4
    │   ├── ConservationBroken    4  rows in != kept + quarantined
    │   ├── TooManyUnreadable     4  more broken records than max_unreadable_ratio
    │   ├── NothingLeft           4  zero documents; names the stage and the reason that took most
    │   └── WorkerLost            4  a worker process was killed from outside
    ├── StoreError                5
    │   ├── DatasetMissing        5
    │   └── DatasetDamaged        5  bytes do not hash to their name
    ├── ProgramFailed             6  a child program ended with a code that is not 0
    │   ├── CrawlFailed           6
    │   └── TrainingError         6
    │       ├── NonFiniteLoss     6  names the step; the last good checkpoint stays
    │       └── OutOfMemory       8  also with half the micro-batch; the last good checkpoint stays
    └── ServerError               7  port in use, no permission, does not start

Only faults that can pass (`transient` is True) are retried; a config, contract or data error never is.
"""

from __future__ import annotations

from typing import ClassVar


class ZiliuError(Exception):
    """Root of all errors that ziliu raises on purpose."""

    exit_code: ClassVar[int] = 1
    transient: ClassVar[bool] = False


class ConfigError(ZiliuError):
    """A config key, type or value is wrong; nothing was started."""

    exit_code = 2


class ContractError(ZiliuError):
    """Data is not what its contract says."""

    exit_code = 3


class SchemaMismatch(ContractError):
    """A frame's columns or types differ from its schema."""


class GateFailed(ContractError):
    """A dataset breaks its contract; nothing later runs."""


class StageError(ZiliuError):
    """A stage could not produce its dataset."""

    exit_code = 4


class ConservationBroken(StageError):
    """A stage lost or invented rows."""


class TooManyUnreadable(StageError):
    """More records were unreadable than the config allows."""


class NothingLeft(StageError):
    """No document survived a stage."""


class WorkerLost(StageError):
    """A worker process died under its job."""

    transient = True


class StoreError(ZiliuError):
    """The store cannot be read or written."""

    exit_code = 5


class DatasetMissing(StoreError):
    """A version or channel is not in the store."""


class DatasetDamaged(StoreError):
    """An object's bytes do not hash to its name."""


class ProgramFailed(ZiliuError):
    """A child program ended badly; the message holds the end of its log."""

    exit_code = 6
    transient = True


class CrawlFailed(ProgramFailed):
    """The crawler ended badly."""


class TrainingError(ProgramFailed):
    """The trainer ended badly."""


class NonFiniteLoss(TrainingError):
    """The loss became NaN or infinite; retrying would do the same."""

    transient = False


class OutOfMemory(TrainingError):
    """Memory of the device or the machine is not enough; retrying would do the same."""

    exit_code = 8
    transient = False


class ServerError(ZiliuError):
    """The Prefect server or its database cannot be reached or started."""

    exit_code = 7
