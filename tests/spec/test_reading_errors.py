"""Every way in which a spec can be wrong: one table, one exact place and message each."""

from __future__ import annotations

import pytest

from robustbench_rs.errors import SpecError
from robustbench_rs.spec import load_spec

HEAD = "name: test\ndataset: toy\n"
DEFENSE = "defenses:\n  - name: a\n    model: {name: net, training: drill}\n    noise: {name: gauss, sigma: 0.25}\n"


def with_noise(noise: str) -> str:
    return f"{HEAD}defenses:\n  - name: a\n    model: {{name: net, training: drill}}\n    noise: {noise}\n"


def with_model(model: str) -> str:
    return f"{HEAD}defenses:\n  - name: a\n    model: {model}\n"


def bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    return "\n".join(lines)


# (spec, key path, line, part of the message)
FILES = [
    pytest.param("", "", 1, "this file is empty", id="empty"),
    pytest.param("# nothing\n", "", 1, "this file is empty", id="comment-only"),
    pytest.param("- a\n- b\n", "", 1, "this file is a list", id="list"),
    pytest.param("42\n", "", 1, "this file is a single value", id="scalar"),
    pytest.param("a: 1\nb: [1, 2\nc: 3\n", "", 3, "not valid YAML", id="syntax"),
    pytest.param("a:\n\t- b\n", "", 2, "spaces, not tabs", id="tab"),
    pytest.param("a: 'never closed\n", "", 2, "not valid YAML", id="unclosed-quote"),
    pytest.param("a: *nowhere\n", "", 1, "undefined alias", id="undefined-alias"),
    pytest.param("a: 1\n---\nb: 2\n", "", 2, "expected a single document", id="two-documents"),
    pytest.param(b"a: 1\nb: \xff\xfe\n", "", 2, "not UTF-8 text (byte 0xff", id="not-utf8"),
    pytest.param(b"\x80\x02}q\x00.", "", 1, "not UTF-8 text", id="pickle"),
    pytest.param(b"a: 1\nb: \x00\x01\n", "", 2, r"control character '\x00'", id="nul"),
    pytest.param("a: !!python/object/apply:os.system [ls]\n", "a", 1, "not allowed in a spec", id="python-tag"),
    pytest.param("a: !mine {b: 1}\n", "a", 1, "tag '!mine' is not allowed", id="own-tag"),
    pytest.param("a: !!binary aGVsbG8=\n", "a", 1, "not allowed in a spec", id="binary-tag"),
    pytest.param("? [a, b]\n: 1\n", "", 1, "a key must be text", id="list-as-key"),
    pytest.param("a: " + "[" * 51 + "]" * 51, "", 1, "nested more than 50 deep", id="deep"),
    pytest.param("a: " + "[" * 100_000, "", 1, "nested more than 50 deep", id="deep-enough-for-a-stack-overflow"),
    pytest.param(bomb(), "", 3, "aliases expand to more than 1,000 nodes", id="alias-bomb"),
    pytest.param("a: &a [*a]\n", "", 1, "nested more than 50 deep", id="alias-of-itself"),
    pytest.param("a: " + "x" * 1_048_577, "", None, "larger than 1,048,576 bytes", id="too-large"),
]


@pytest.mark.parametrize(("text", "key_path", "line", "message"), FILES)
def test_unreadable_file(problems_of, text, key_path, line, message):
    found = problems_of(text)
    assert any(key_path == key and line == number and message in words for key, number, words in found), found


def test_missing_file_and_folder_are_named(directory, tmp_path):
    with pytest.raises(SpecError, match=r"none\.yaml: no such file"):
        load_spec(tmp_path / "none.yaml", directory)
    with pytest.raises(SpecError, match="directory"):
        load_spec(tmp_path, directory)


# (whole spec, key path, line, part of the message)
WHOLE = [
    (with_noise("{name: gauss, sigma: 1, sigma: 2}"), "defenses.0.noise.sigma", 6, "appears twice"),
    (HEAD, "defenses", 1, "is required but missing"),
    ("name: a\nname: b\ndataset: toy\n" + DEFENSE, "name", 2, "appears twice (first on line 1)"),
    (HEAD + "defenzes: []\n" + DEFENSE, "defenzes", 3, "did you mean 'defenses'?"),
    (HEAD + "<<: {seed: 1}\n" + DEFENSE, "<<", 3, "merge keys '<<' are not supported"),
    (HEAD + "defenses: []\n", "defenses", 3, "must have at least 1 entry, not 0"),
    (HEAD + "defenses: {a: 1}\n", "defenses", 3, "must be a list, not {'a': 1}"),
    (HEAD + 'include: ["\\0"]\n' + DEFENSE, "include", 3, "cannot include '\\x00': no such file"),
    (HEAD + "defenses: 1.5\n", "defenses", 3, "must be a list, not 1.5"),
    (HEAD + "defenses: [text]\n", "defenses.0", 3, "must be a map, not 'text'"),
    (HEAD + "defenses:\n  - model: {name: net, training: drill}\n", "defenses.0.name", 4, "missing"),
    ("name: ../x\ndataset: toy\n" + DEFENSE, "name", 1, "cannot name a directory"),
    ("name: ''\ndataset: toy\n" + DEFENSE, "name", 1, "cannot name a directory"),
    ("name: 7\ndataset: toy\n" + DEFENSE, "name", 1, "must be text, not 7; put it in quotes"),
    (HEAD + "seed: -1\n" + DEFENSE, "seed", 3, "must be at least 0, not -1"),
    (HEAD + "seed: 9223372036854775808\n" + DEFENSE, "seed", 3, "must be less than"),
    (HEAD + "seed: 1.5\n" + DEFENSE, "seed", 3, "must be a whole number, not 1.5"),
    (HEAD + "seed: true\n" + DEFENSE, "seed", 3, "must be a number, not true"),
    ("name: t\ndataset: tov\n" + DEFENSE, "dataset", 2, "did you mean 'toy'?"),
    ("name: t\ndataset: 3\n" + DEFENSE, "dataset", 2, "expected the name of a dataset"),
    ("name: t\ndataset: {split: x}\n" + DEFENSE, "dataset", 2, "map with 'name'"),
    ("name: t\ndataset: {name: toy, every: 0}\n" + DEFENSE, "dataset.every", 2, "at least 1, not 0"),
    ("name: t\ndataset: {name: toy, path: 'x/{sigma}'}\n" + DEFENSE, "dataset.path", 2, "no parameter 'sigma'"),
    (
        HEAD + "defenses:\n  - {name: envelope, model: {name: net, training: drill}}\n",
        "defenses.0.name",
        4,
        "choose another name",
    ),
    (HEAD, "defenses", 1, "either 'defenses' or 'validation'"),
    (HEAD + "validaton: {}\n" + DEFENSE, "validaton", 3, "did you mean 'validation'?"),
]

# (line 7 of an otherwise valid spec, key path, part of the message)
ADDED = [
    ("    point: {noise.sigma: 1}", "defenses.0.point", "unknown key 'point'"),
    (
        "  - name: a\n    model: {name: net, training: drill}",
        "defenses.1.name",
        "another defense is called 'a' too (first on line 4)",
    ),
    ("    restoration: trn", "defenses.0.restoration", "not available in this version"),
    ("attacks: []", "attacks", "not available in this version"),
    ("requires: [my-noise]", "requires.0", "load its file with -p FILE"),
    ("requires: my-noise", "requires", "must be a list"),
    ("certification: {n: 0}", "certification.n", "at least 1, not 0"),
    ("certification: {n0: 0}", "certification.n0", "at least 1, not 0"),
    ("certification: {n: many}", "certification.n", "must be a whole number, not 'many'"),
    ("certification: {n: [10, 20]}", "certification.n", "must be a whole number, not [10, 20]"),
    ("certification: {alpha: 0}", "certification.alpha", "greater than 0"),
    ("certification: {alpha: 1}", "certification.alpha", "less than 1"),
    ("certification: {alpha: .nan}", "certification.alpha", "not nan"),
    ("certification: {norms: []}", "certification.norms", "at least 1 entry"),
    ("certification: {norms: 2}", "certification.norms", "must be a list, not 2"),
    ("certification: {norms: [2, 0.5]}", "certification.norms.1", "at least 1, or inf, not 0.5"),
    ("certification: {norms: [.nan]}", "certification.norms.0", "at least 1, or inf, not nan"),
    ("certification: {norms: [1" + "0" * 400 + "]}", "certification.norms.0", "too large; write inf"),
    ("certification: {norms: [two]}", "certification.norms.0", "not 'two'"),
    ("certification: {norms: [2, 2.0]}", "certification", "norm 2 is listed twice"),
    ("certification: {solvers: [aut]}", "certification.solvers.0", "unknown solver 'aut'"),
    ("certification: {solvers: [auto, auto]}", "certification", "solver auto is listed twice"),
    ("certification: {bound: clopper}", "certification.bound", "did you mean 'clopper-pearson'?"),
    ("certification: 3", "certification", "must be a map, not 3"),
    ("prediction: {n: 0}", "prediction.n", "at least 1"),
    ("executor: ray", "executor", "unknown executor 'ray'"),
    ("report: {formats: [htm]}", "report.formats.0", "did you mean 'html'?"),
    ("report: {formats: [html, html]}", "report", "format html is listed twice"),
    ("report: {radii: [0, 1, 1]}", "report.radii", "must ascend, but 1.0 follows 1.0"),
    ("report: {radii: [-1]}", "report.radii.0", "at least 0, not -1"),
    ("report: {radii: [.inf]}", "report.radii.0", "must be a finite number"),
    ("report: {radii: []}", "report.radii", "at least 1 entry"),
    ("report: {radii: 0.5}", "report.radii", "must be a list"),
    ("report: {radii: {stop: 1, step: 0}}", "report.radii.step", "greater than 0"),
    ("report: {radii: {stop: 1, step: 1e-4}}", "report.radii", "more than 10,000 radii"),
    ("report: {radii: {stop: 1e300, step: 1e-300}}", "report.radii", "more than 10,000"),
    ("report: {radii: {start: 2, stop: 1, step: 1}}", "report.radii", "must not be below"),
    ("report: {radii: {stop: 1}}", "report.radii.step", "is required but missing"),
]

# (a defense's noise, on line 6; key below it; part of the message)
NOISE = [
    ("{name: gauss, sigma: 0}", "sigma", "greater than 0, not 0"),
    ("{name: gauss, sigma: [0.5, -1]}", "sigma.1", "greater than 0, not -1"),
    ("{name: gauss, sigma: {sweep: [0.5, x]}}", "sigma.sweep.1", "must be a number, not 'x'"),
    ("{name: gauss, sigma: .nan}", "sigma", "not nan"),
    ("{name: gauss, sigma: .inf}", "sigma", "not inf"),
    ("{name: gauss, sigma: true}", "sigma", "must be a number, not true"),
    ("{name: gauss, sigma: []}", "sigma", "at least one value"),
    ("{name: gauss, sigma: [1, 1.0]}", "sigma.1", "stands twice"),
    ("{name: gauss, sigma: [[1, 2], 3]}", "sigma.0", "must be a number, not [1, 2]"),
    ("{name: gauss, sigmaa: 1}", "sigmaa", "unknown key 'sigmaa'; did you mean 'sigma'?"),
    ("{name: gauss, sigma: 1, scale: 1}", "", "exactly one of 'scale' and 'sigma'"),
    ("gauss", "", "exactly one of 'scale' and 'sigma'"),
    ("{name: guass, sigma: 1}", "", "did you mean 'gauss'? (if a plugin file has it, load that with -p FILE"),
    ("{name: monday, sigma: 1}", "", "noise 'monday' failed with TypeError: it was built on a Monday"),
]

# (a defense's model, on line 5; key below it; part of the message)
MODEL = [
    ("net", "", "model 'net' needs weights"),
    ("{name: net, training: drill, checkpoint: x}", "", "not both"),
    ("{name: net, training: {name: drill, epochs: 0}}", "training.epochs", "at least 1"),
    ("{name: net, training: {name: drill, epoch: 2}}", "training.epoch", "did you mean 'epochs'?"),
    ("{name: net, training: dril}", "training", "did you mean 'drill'?"),
    ("{name: net, training: drill, normalize: cifar1}", "normalize", "did you mean 'cifar10'?"),
    ("{name: net, training: drill, normalize: {mean: 1}}", "normalize.std", "is required but missing"),
    ("{name: net, checkpoint: 'm_{sigmaa}.pt'}", "checkpoint", "no parameter 'sigmaa'"),
    (
        "{name: net, checkpoint: '${data}/m.pt'}",
        "checkpoint",
        "--data DIR or the environment variable ROBUSTBENCH_RS_DATA",
    ),
    ("{name: net, checkpoint: '${date}/m.pt'}", "checkpoint", "unknown variable '${date}'; did you mean 'data'?"),
]

VALUES = [
    *WHOLE,
    *((HEAD + DEFENSE + text + "\n", path, 7, message) for text, path, message in ADDED),
    *((with_noise(text), ".".join(["defenses.0.noise", *path.split()]), 6, message) for text, path, message in NOISE),
    *((with_model(text), ".".join(["defenses.0.model", *path.split()]), 5, message) for text, path, message in MODEL),
]


@pytest.mark.parametrize(("text", "key_path", "line", "message"), VALUES)
def test_wrong_value(problems_of, text, key_path, line, message):
    found = problems_of(text)
    assert len(found) == 1, found
    assert found[0][:2] == (key_path, line)
    assert message in found[0][2]


def test_all_errors_at_once_in_file_order(problems_of):
    found = problems_of(
        "nmae: test\n"
        "seed: -3\n"
        "dataset: {name: toy, evry: 2, limit: none}\n"
        "defenses:\n"
        "  - name: a\n"
        "    model: {name: net, training: {name: drill, epochs: 1.5, rate: 1}}\n"
        "    noise: {name: gauss, sigma: [0.25, -1, x]}\n"
        "  - name: a/b\n"
        "    model: nett\n"
        "certification: {alpha: 2, norms: [0]}\n"
    )
    assert [(key, line) for key, line, _ in found] == [
        ("name", 1),
        ("nmae", 1),
        ("seed", 2),
        ("dataset.limit", 3),
        ("dataset.evry", 3),
        ("defenses.0.model.training.epochs", 6),
        ("defenses.0.model.training.rate", 6),
        ("defenses.0.noise.sigma.1", 7),
        ("defenses.0.noise.sigma.2", 7),
        ("defenses.1.name", 8),
        ("defenses.1.model", 9),
        ("certification.alpha", 10),
        ("certification.norms.0", 10),
    ]


def test_a_default_that_no_plugin_provides_is_put_at_its_key(spec_file, directory):
    class WithoutBounds:
        def find(self, kind, name):
            if kind in ("bound", "reporter"):
                raise LookupError(f"unknown {kind} {name!r}")
            return directory.find(kind, name)

    with pytest.raises(SpecError) as caught:
        load_spec(spec_file(HEAD + DEFENSE + "report: {radii: [0]}\n"), WithoutBounds())
    assert [(problem.key_path, problem.line) for problem in caught.value.problems] == [
        ("certification.bound", 1),
        *((f"report.formats.{index}", 7) for index in range(4)),
    ]


def test_an_unknown_noise_hides_no_names_from_paths(problems_of):
    text = with_noise("{name: guass, sigma: [1, 2]}").replace("training: drill", "checkpoint: 'm_{sigma}'")
    assert [key for key, _, _ in problems_of(text)] == ["defenses.0.noise"]


def test_same_mistake_in_many_sweep_points_is_said_once(problems_of):
    swept = "{name: net, width: [1, 2, 3], dropout: [0.1, 0.2], training: {name: drill, epochs: 0}}"
    found = problems_of(with_model(swept))
    assert [key for key, _, _ in found] == ["defenses.0.model.training.epochs"]


def test_at_most_twenty_are_printed_and_values_are_cut(problems_of, load):
    many = "".join(f"key{i:02}: {'x' * 500}\n" for i in range(30))
    with pytest.raises(SpecError) as caught:
        load(HEAD + DEFENSE + many)
    lines = str(caught.value).splitlines()
    assert len(caught.value.problems) == 30
    assert len(lines) == 21
    assert lines[-1] == "and 10 more"
    (_, _, message), *_ = problems_of(HEAD + DEFENSE + f"prediction: {'y' * 500}\n")
    assert len(message) < 120


def test_too_many_sweep_points_are_refused_quickly(problems_of):
    values = ", ".join(str(i) for i in range(1, 101))
    model = f"{{name: net, width: [{values}], dropout: [{values}], training: {{name: drill, epochs: [{values}]}}}}"
    found = problems_of(with_model(model))
    assert found[0][0] == "defenses.0.model"
    assert "more than 1,000 settings" in found[0][2]
