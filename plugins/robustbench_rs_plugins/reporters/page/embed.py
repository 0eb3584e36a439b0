"""Scripts and data inside one HTML file: escaped, and nothing but these scripts may run."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

_JSON_ESCAPES = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def json_for_script(value: Any) -> str:
    """JSON text that no HTML parser can leave: ``<``, ``>``, ``&`` and all non-ASCII characters are escaped.

    Raises ``ValueError`` for NaN and infinities.
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    return text.translate(_JSON_ESCAPES)


def script_text(code: str) -> str:
    """JavaScript as it may stand between script tags, with the line ends that an HTML parser will see.

    Raises ``ValueError`` when it holds a sequence that would end or nest a script element.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    lowered = code.lower()
    for sequence in ("</script", "<script", "<!--"):
        if sequence in lowered:
            raise ValueError(f"JavaScript to be inlined contains {sequence!r}")
    return code


def security_policy(scripts: list[str]) -> str:
    """A content security policy: these scripts by hash, inline styles, embedded pictures, and no network at all."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
