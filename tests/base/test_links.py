"""Addresses of rules' pages."""

from modellint.base.links import page_url, rule_url


def test_a_built_in_rule_has_a_page() -> None:
    assert rule_url("DYN001") == page_url("rules/DYN001.md")


def test_a_rule_of_a_users_folder_has_none() -> None:
    assert rule_url("ACM001") == ""
