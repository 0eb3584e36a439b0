"""Discovery and diagnostics: a good plugin is found, a bad one is named, and the rest goes on."""

from __future__ import annotations

import pickle
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from robustbench_rs.errors import InputError, PluginError
from robustbench_rs.plugins import load_registry, loading

NOISE = """
    from robustbench_rs.api import NoiseParams, ProductNoise, hookimpl

    class Mine(ProductNoise):
        name = {name!r}

        def log_density(self, z):
            return -abs(z)

    @hookimpl
    def robustbench_rs_noises():
        return [Mine]
"""


def noise_file(write_file, file: str, name: str) -> Path:
    return write_file(file, textwrap.dedent(NOISE).format(name=name))


def broken(registry, plugin: str) -> str:
    return next(item.error for item in registry.broken if item.plugin == plugin)


def test_a_file_is_loaded_and_owned_by_its_content(raised_cosine: Path) -> None:
    registry = load_registry([raised_cosine])
    component = registry.find("noise", "raised-cosine")
    owner = registry.owner(component)
    assert owner.plugin == "raised_cosine.py"
    assert owner.origin == str(raised_cosine)
    assert owner.sha256 in owner.identity
    assert registry.provided_by(owner) == [("noise", "raised-cosine")]
    raised_cosine.write_text(raised_cosine.read_text() + "\n# changed\n")
    again = load_registry([raised_cosine])
    assert again.owner(again.find("noise", "raised-cosine")).identity != owner.identity


def test_classes_of_a_file_can_be_pickled(raised_cosine: Path) -> None:
    component = load_registry([raised_cosine]).find("noise", "raised-cosine")
    noise = component(component.Params(sigma=0.5))
    copy = pickle.loads(pickle.dumps(noise))
    assert type(copy) is component
    assert copy.params == noise.params


def test_first_party_plugins_come_through_entry_points() -> None:
    registry = load_registry()
    assert registry.broken == []
    for kind, name in [
        ("noise", "gaussian"),
        ("solver", "closed-form"),
        ("bound", "clopper-pearson"),
        ("model", "small-cnn"),
        ("dataset", "digits"),
        ("training", "noise-augmentation"),
        ("executor", "local"),
        ("reporter", "html"),
    ]:
        owner = registry.owner(registry.find(kind, name))
        assert owner.origin.startswith("robustbench-rs "), (kind, name)
        assert len(owner.sha256) == 64


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:", ["SyntaxError"]),
        ("import a_module_that_does_not_exist", ["ModuleNotFoundError", "a_module_that_does_not_exist"]),
        ("raise ValueError('no good')", ["ValueError: no good"]),
        ("import sys; sys.exit(3)", ["SystemExit"]),
        (
            """
            from robustbench_rs.api import hookimpl
            @hookimpl
            def robustbench_rs_noise():
                return []
            """,
            ["no hook 'robustbench_rs_noise'", "did you mean 'robustbench_rs_noises'?"],
        ),
        (
            """
            from robustbench_rs.api import hookimpl
            @hookimpl
            def robustbench_rs_models():
                raise KeyError("weights")
            """,
            ["its hook robustbench_rs_models raised", "weights"],
        ),
        (
            """
            from robustbench_rs.api import hookimpl
            @hookimpl
            def robustbench_rs_models():
                return ["small-cnn"]
            """,
            ["must return subclasses of Model", "'small-cnn'"],
        ),
        (
            """
            from robustbench_rs.api import Bound, hookimpl
            class Half(Bound):
                name = "half"
                def budget(self, alpha):
                    return {}
            @hookimpl
            def robustbench_rs_bounds():
                return [Half]
            """,
            ["bound 'half' does not implement limits"],
        ),
        (
            """
            from robustbench_rs.api import Reporter, hookimpl
            class Nameless(Reporter):
                def render(self, report):
                    return {}
            @hookimpl
            def robustbench_rs_reporters():
                return [Nameless]
            """,
            ["Nameless needs a class attribute 'name'"],
        ),
        (
            """
            from robustbench_rs.api import Reporter, hookimpl
            class Reserved(Reporter):
                name = "auto"
                def render(self, report):
                    return {}
            @hookimpl
            def robustbench_rs_reporters():
                return [Reserved]
            """,
            ["not reserved; got 'auto'"],
        ),
        (
            """
            from pydantic import BaseModel
            from robustbench_rs.api import Reporter, hookimpl
            class Lax(Reporter):
                name = "lax"
                class Params(BaseModel):
                    pass
                def render(self, report):
                    return {}
            @hookimpl
            def robustbench_rs_reporters():
                return [Lax]
            """,
            ["reporter 'lax': its Params must derive from robustbench_rs.api.Params"],
        ),
    ],
)
def test_a_bad_file_is_broken_and_the_rest_goes_on(write_file, raised_cosine, source: str, words: list[str]) -> None:
    bad = write_file("bad_one.py", source)
    registry = load_registry([bad, raised_cosine])
    error = broken(registry, "bad_one.py")
    for word in words:
        assert word in error
    assert "\n" not in error
    assert registry.find("noise", "raised-cosine").name == "raised-cosine"
    assert [item.plugin for item in registry.broken] == ["bad_one.py"]


def test_nothing_of_a_half_good_plugin_is_kept(write_file) -> None:
    half = noise_file(write_file, "half.py", "good-noise")
    half.write_text(half.read_text() + "\n@hookimpl\ndef robustbench_rs_models():\n    return [Mine]\n")
    registry = load_registry([half])
    assert "must return subclasses of Model" in broken(registry, "half.py")
    assert "good-noise" not in registry.names("noise")


def test_ctrl_c_in_a_plugin_is_the_users(write_file) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_registry([write_file("stop.py", "raise KeyboardInterrupt")])


def test_a_name_given_twice_names_both_owners(write_file) -> None:
    first, second = noise_file(write_file, "first.py", "twin"), noise_file(write_file, "second.py", "twin")
    with pytest.raises(PluginError) as error:
        load_registry([first, second])
    for word in ("noise 'twin'", "first.py", "second.py", str(first), str(second)):
        assert word in str(error.value)


def test_a_name_of_a_first_party_plugin_cannot_be_taken(write_file) -> None:
    with pytest.raises(PluginError, match=r"two plugins provide the noise 'gaussian'.*noise-gaussian.*mine\.py"):
        load_registry([noise_file(write_file, "mine.py", "gaussian")])


def test_a_missing_file_and_a_file_of_another_kind(tmp_path: Path, write_file) -> None:
    with pytest.raises(InputError, match=r"-p .*nowhere\.py: no such file"):
        load_registry([tmp_path / "nowhere.py"])
    registry = load_registry([write_file("notes.txt", "not python")])
    assert "must end in .py" in broken(registry, "notes.txt")


def test_two_files_of_one_name(tmp_path: Path, write_file) -> None:
    first = noise_file(write_file, "mine.py", "one")
    (tmp_path / "other").mkdir()
    second = tmp_path / "other" / "mine.py"
    second.write_text(first.read_text().replace("'one'", "'two'"))
    with pytest.raises(InputError, match="another plugin file is called 'mine' too"):
        load_registry([first, second])


def test_strict_makes_a_broken_plugin_an_error(write_file) -> None:
    bad = write_file("bad_one.py", "raise ValueError('no good')")
    with pytest.raises(PluginError, match=r"bad_one\.py .* is BROKEN: ValueError: no good"):
        load_registry([bad], strict=True)


def test_a_broken_entry_point_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = EntryPoint("bad-entry", "a_module_that_does_not_exist", loading.GROUP)
    monkeypatch.setattr(loading, "entry_points", lambda group: [bad])
    registry = load_registry()
    assert [item.plugin for item in registry.broken] == ["bad-entry"]
    assert "ModuleNotFoundError" in registry.broken[0].error


def test_a_missing_name_says_what_there_is_and_what_is_broken(write_file) -> None:
    registry = load_registry([write_file("bad_one.py", "raise ValueError('no good')")])
    with pytest.raises(LookupError) as error:
        registry.find("noise", "gausian")
    text = str(error.value.args[0])
    assert "did you mean 'gaussian'?" in text
    assert "bad_one.py" in text


def test_hooks_are_called_once(write_file, tmp_path: Path) -> None:
    marks = tmp_path / "calls.txt"
    source = (
        textwrap.dedent(NOISE)
        .format(name="counted")
        .replace("    return [Mine]", f"    open({str(marks)!r}, 'a').write('x')\n    return [Mine]")
    )
    load_registry([write_file("counted.py", source)])
    assert marks.read_text() == "x"
