from __future__ import annotations

import pytest

from data_contracts.errors import ConfigError
from data_contracts.network import NetworkConfig
from deployments.vocabulary_study import asked


def test_a_sweep_is_for_the_model_of_the_config():
    study = asked("16_000,8000", NetworkConfig(size="15M"))
    assert (study.sizes, study.width, study.body_parameters) == ((8000, 16000), 384, 14_162_304)


def test_what_is_no_list_of_sizes_is_said():
    with pytest.raises(ConfigError, match="write sizes between commas"):
        asked("8000;16000", NetworkConfig())


def test_a_model_that_has_its_vocabulary_leaves_nothing_to_choose():
    with pytest.raises(ConfigError, match="has its own vocabulary"):
        asked("8000", NetworkConfig(folder="/models/base"))
