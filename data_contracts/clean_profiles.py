"""清洗方案 profiles: named sets of thresholds for kinds of text, as YAML files in data_contracts/profiles.

`web.yaml` holds every threshold; the others only what differs from it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, get_args

from ruamel.yaml import YAML

ProfileName = Literal["web", "literary", "forum", "strict"]
PROFILES: tuple[ProfileName, ...] = get_args(ProfileName)
BASE: ProfileName = "web"
FOLDER = Path(__file__).parent / "profiles"


@cache
def written(name: str) -> dict[str, float]:
    """What the file of a profile says."""
    found: dict[str, float] = YAML(typ="safe", pure=True).load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def profile(name: str) -> dict[str, float]:
    """Every threshold of a profile. FileNotFoundError for a name that has no file."""
    return written(BASE) | written(name)
