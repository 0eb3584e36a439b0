"""The parts of the HTML page: each module turns rows of a report into what a template shows, and computes nothing."""
