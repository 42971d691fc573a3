from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from data_contracts.clean_profiles import BASE, PROFILES, profile, written
from data_contracts.config import CorpusConfig
from data_contracts.config_file import load
from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError
from data_contracts.stages import CleanConfig

NO_THRESHOLDS = {"profile", "to_simplified", "languages"}


def test_web_holds_every_threshold_and_the_others_only_what_differs() -> None:
    assert set(written(BASE)) == set(CleanConfig.model_fields) - NO_THRESHOLDS
    for name in PROFILES:
        differing = {} if name == BASE else written(name)
        assert set(differing) <= set(written(BASE))
        assert [key for key, value in differing.items() if value == written(BASE)[key]] == []


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_gives_the_defaults_and_one_threshold_can_differ(name: str) -> None:
    cfg = CleanConfig(profile=name, min_chars=77)
    assert cfg.model_dump(exclude=NO_THRESHOLDS) == profile(name) | {"min_chars": 77}
    assert CleanConfig.model_validate_json(cfg.model_dump_json()) == cfg


def test_resolved_thresholds_are_in_the_key_whatever_led_to_them() -> None:
    web, written_out = CleanConfig(), CleanConfig(**profile("web"))
    assert digest_of(web) == digest_of(written_out)
    assert digest_of(web) != digest_of(CleanConfig(profile="forum"))
    assert digest_of(web) != digest_of(CleanConfig(min_chars=201))


def test_a_form_shows_no_default_that_would_win_over_the_profile() -> None:
    fields = CleanConfig.model_json_schema()["properties"]
    assert [name for name in profile(BASE) if "default" in fields[name]] == []
    assert all(name not in CleanConfig.model_json_schema().get("required", []) for name in fields)


def test_bounds_hold_and_unknown_profiles_are_refused() -> None:
    with pytest.raises(ValidationError, match="profile"):
        CleanConfig(profile="loose")
    with pytest.raises(ValidationError, match="max_digit_ratio"):
        CleanConfig(max_digit_ratio=2)


def config(tmp_path, *sources: str, clean: str = "{}") -> CorpusConfig:
    lines = [
        f"  - {{kind: jsonl, name: {n.split()[0]}, licence: CC0-1.0, path: a.jsonl{n.partition(' ')[2]}}}"
        for n in sources
    ]
    file = tmp_path / "c.yaml"
    file.write_text("\n".join(["sources:", *lines, f"clean: {clean}"]), encoding="utf-8")
    return load(file).part(CorpusConfig)


def test_a_source_may_name_its_profile(tmp_path) -> None:
    cfg = config(
        tmp_path, "news", "poems , profile: literary", "wiki", "songs , profile: literary",
        clean="{min_chars: 50, to_simplified: true}",
    )  # fmt: skip
    groups = cfg.by_profile([f.name for f in cfg.files])
    assert [names for _, names in groups] == [["news", "wiki"], ["poems", "songs"]]
    (web, literary) = (rules for rules, _ in groups)
    assert (web.profile, web.min_chars) == ("web", 50)
    assert literary == CleanConfig(profile="literary", to_simplified=True)
    again = CorpusConfig.model_validate(json.loads(cfg.model_dump_json()))
    assert again.by_profile(groups[0][1] * 2) == cfg.by_profile(groups[0][1] * 2), "a config sent as JSON is the same"


def test_how_a_source_is_cleaned_changes_nothing_for_ingest(tmp_path) -> None:
    plain, named = config(tmp_path, "poems"), config(tmp_path, "poems , profile: literary")
    assert digest_of(plain.files[0]) == digest_of(named.files[0])


def test_a_profile_that_does_not_exist_is_named_with_its_line(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"c\.yaml:2.*profile"):
        config(tmp_path, "poems , profile: lyric")
