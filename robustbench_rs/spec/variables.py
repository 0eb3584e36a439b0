"""``${data}`` in a spec's strings: the folder given by ``--data DIR`` or ``ROBUSTBENCH_RS_DATA``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from robustbench_rs.errors import Problem, did_you_mean
from robustbench_rs.spec.nodes import Node, ScalarNode, map_strings

_VARIABLE = re.compile(r"\$\{([^}]*)\}")


def replace_data(root: Node, data: Path | None, problems: list[Problem]) -> Node:
    """``root`` with ``${data}`` replaced by the absolute path of ``data``; any other ``${...}`` is a problem."""

    def change(node: ScalarNode, text: str) -> ScalarNode:
        for name in _VARIABLE.findall(text):
            if name != "data":
                problems.append(node.problem(f"unknown variable '${{{name}}}'{did_you_mean(name, ['data'])}"))
            elif data is None:
                hint = "say where the data lies, with --data DIR or the environment variable ROBUSTBENCH_RS_DATA"
                problems.append(node.problem(f"'${{data}}' is not known: {hint}"))
        return node if data is None else replace(node, value=text.replace("${data}", str(data.absolute())))

    return map_strings(root, change)
