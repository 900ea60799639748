"""`modellint rules new` and `modellint rules test`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_verbs import OWN_RULE
from tests.samples import GOOD, project
from tests.support import run_cli

EXAMPLES = '''
[[examples.invalid]]
model = """<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y) { y = Relu (x) }"""
at = ["y"]
[[examples.valid]]
model = """<ir_version: 8, opset_import: ["" : 17]>
main (float[2] x) => (float[2] y) { y = Neg (x) }"""
'''
WITH_EXAMPLES = OWN_RULE + EXAMPLES


def test_a_new_rule_passes_its_own_examples(tmp_path: Path) -> None:
    done = run_cli("rules", "new", "ACM", "--folder", "lint", cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "lint/ACM001-new-rule.toml").is_file()
    tested = run_cli("rules", "test", "lint", cwd=tmp_path)
    assert (tested.exit_code, tested.stdout) == (0, "1 rule: 2 examples passed\n")


def test_a_configured_folder_is_made_for_its_first_rule(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": 'rules = ["lint"]'})
    done = run_cli("rules", "new", "ACM", cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "lint/ACM001-new-rule.toml").is_file()


def test_numbers_are_given_once(tmp_path: Path) -> None:
    project(tmp_path, {"modellint.toml": 'rules = ["lint"]', "lint/OWN041-a.toml": OWN_RULE})
    assert "OWN042-again.toml" in run_cli("rules", "new", "OWN", "again", cwd=tmp_path).stdout
    taken = run_cli("rules", "new", "OWN041", cwd=tmp_path)
    assert taken.exit_code == 2
    assert "OWN041 is already used; the next free code is OWN043" in taken.stderr


def test_a_built_in_prefix_goes_on_in_its_family(tmp_path: Path) -> None:
    (tmp_path / "rules/fusion").mkdir(parents=True)
    done = run_cli("rules", "new", "FUS", "x", "--folder", "rules", cwd=tmp_path)
    assert done.stdout.startswith("Wrote rules/fusion/FUS")


@pytest.mark.parametrize(("code", "name"), [("acm", "x"), ("ACM1", "x"), ("ACM", "Two Words")])
def test_codes_and_names_are_checked(code: str, name: str, tmp_path: Path) -> None:
    done = run_cli("rules", "new", code, name, "--folder", ".", cwd=tmp_path)
    assert done.exit_code == 2
    assert "(example" in done.stderr


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('at = ["y"]', 'at = ["q"]'), "examples.invalid[0]: expected findings at q:"),
        (("y = Relu (x)", "y = Neg (x)"), "examples.invalid[0]: expected 1 findings, found 0"),
        (("y = Neg (x)", "y = Relu (x)"), "examples.valid[0]: expected no findings, found 1:"),
        (('at = ["y"]', 'message = "no"'), "examples.invalid[0]: expected a message with 'no':"),
        ((EXAMPLES, ""), "needs both invalid and valid examples"),
        (("summary", "sumary"), "did you mean 'summary'?"),
        (('at = ["y"]', 'target = "a11"'), "examples.invalid[0]: "),
        (("model =", "files = { '../x.onnxtxt' = 'x' }\nnote ="), "outside the example's folder"),
    ],
)
def test_what_fails_is_reported(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    text = WITH_EXAMPLES.replace(*change, 1)
    project(tmp_path, {"lint/OWN001-a.toml": text, "lint/OWN002-b.toml": WITH_EXAMPLES})
    done = run_cli("rules", "test", "lint", cwd=tmp_path)
    assert done.exit_code == 1
    assert said in done.stdout
    assert "1 failed" in done.stdout


@pytest.mark.parametrize(
    ("check", "said"),
    [
        ("os:getcwd", "which only an installed plugin may do"),
        ("os.system", "no rule of modellint has the check 'os.system'"),
        ("resolve.importlib", "no rule of modellint has the check"),
        ("hygiene.unused_initialiser", "did you mean 'hygiene.unused_initializer'?"),
        ("hygiene.unused_initializer", "needs the option 'heavy-bytes'"),
    ],
)
def test_only_a_plugin_may_import_code(check: str, said: str, tmp_path: Path) -> None:
    text = WITH_EXAMPLES.partition("[match]")[0] + f'check = "{check}"\n' + EXAMPLES
    project(tmp_path, {"modellint.toml": 'rules = ["lint"]', "lint/OWN001-a.toml": text})
    done = run_cli("rules", "test", "lint/OWN001-a.toml", cwd=tmp_path)
    assert done.exit_code == 1
    assert said in done.stdout
    project(tmp_path, {"good.onnx": GOOD})
    linted = run_cli("check", ".", cwd=tmp_path)
    assert linted.exit_code == 2
    assert said in linted.stderr


def test_without_a_folder_the_configured_ones_are_tested(tmp_path: Path) -> None:
    none = run_cli("rules", "test", "--isolated", cwd=tmp_path)
    assert none.exit_code == 2
    assert "name a folder" in none.stderr
    project(tmp_path, {"modellint.toml": 'rules = ["lint"]', "lint/OWN001-a.toml": WITH_EXAMPLES})
    assert run_cli("rules", "test", cwd=tmp_path).stdout == "1 rule: 2 examples passed\n"


def test_doctor_shows_a_broken_rule_file_for_what_it_is(tmp_path: Path) -> None:
    broken = OWN_RULE.replace("summary", "sumary")
    project(tmp_path, {"modellint.toml": 'rules = ["lint"]', "lint/OWN001-a.toml": broken})
    done = run_cli("doctor", cwd=tmp_path)
    assert done.exit_code == 1
    assert "invalid rule file" in done.stdout
    said = " ".join(done.stdout.split())
    assert "sumary: unknown key; did you mean 'summary'?" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("'{node}'", "{unclosed"), "message: expected '}' before end of string"),
        (("'{node}'", "{nod}"), "message: unknown fact 'nod'; known: count, file, graph, node, "),
        (("'{node}'", "e" * 1001), "message: has more than 1,000 characters"),
        (("'{node}'", "{node!r:>99999999}"), "message: unknown format '!r:>99999999' of 'node'"),
        (('"Because."', '"{node:>9999999}"'), "why: unknown format ':>9999999' of 'node'"),
        (
            ('"A Relu."', r'"A \u001b[31m."'),
            r"summary has control characters: A \x1b[31m.",
        ),
        (('"None."', r'"None\u202e."'), r"fix has control characters: None\u202e."),
    ],
)
def test_what_is_wrong_with_a_text_is_said(
    change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    rule = OWN_RULE.replace(*change)
    project(tmp_path, {"modellint.toml": 'rules = ["lint"]', "lint/own/OWN001-a.toml": rule})
    project(tmp_path, {"good.onnx": GOOD})
    for verb in (("check", "."), ("rule", "OWN001"), ("rules", "OWN")):
        result = run_cli(*verb, cwd=tmp_path)
        assert result.exit_code == 2, verb
        assert f"lint/own/OWN001-a.toml: {said}" in result.stderr
        assert "\x1b" not in result.stderr


def test_what_a_configuration_says_is_shown_without_control_characters(tmp_path: Path) -> None:
    settings = r'exclude = ["\u001b[31m", "\u202e", "\u009b1m"]'
    project(tmp_path, {"modellint.toml": settings, "\u202ex\u009b.onnx": GOOD})
    shown = run_cli("--show-settings", cwd=tmp_path).stdout
    assert r'exclude = ["\u001b[31m", "\u202e", "\u009b1m"]' in shown
    assert all(line.isprintable() for line in shown.splitlines())
    shown = run_cli("--show-settings", "\u202ex\u009b.onnx", cwd=tmp_path).stdout
    assert all(line.isprintable() for line in shown.splitlines())


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "..\\\\x", "C:/x", "C:x", "", "."])
def test_the_files_of_an_example_stay_in_its_folder(name: str, tmp_path: Path) -> None:
    file = f'[[examples.invalid]]\nfiles = {{ "{name}" = "x" }}\n'
    _tested_example(tmp_path, file, "outside the example's folder")


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ('files = { "x.onnx" = "hex:zz" }', "non-hexadecimal"),
        ('model = "x"\nrecorded = { status = "odd" }', "unknown status 'odd'"),
        ('model = "x"\nrecorded = { status = "accepted", layers = [1] }', "wrong type"),
    ],
)
def test_nonsense_in_an_example_is_a_mistake(example: str, said: str, tmp_path: Path) -> None:
    _tested_example(tmp_path, f"[[examples.invalid]]\n{example}\n", said)


def _tested_example(folder: Path, example: str, said: str) -> None:
    rule = f"""
        summary = "A Relu."
        severity = "info"
        message = "A Relu."
        why = "Because."
        fix = "None."
        match = {{ pattern = "y = Relu(x)", report = "y" }}
        {example}
        [[examples.valid]]
        model = "x"
        """
    project(folder, {"OWN001-a-relu.toml": rule})
    result = run_cli("rules", "test", "OWN001-a-relu.toml", cwd=folder)
    assert result.exit_code in (1, 2), result
    assert said in result.stdout + result.stderr
