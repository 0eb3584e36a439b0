"""What ``robustbench-rs plugins new`` copies: one working plugin per kind, named Example. They are never imported."""
