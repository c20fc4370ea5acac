"""A small LMS, real enough to run a school on: the embedded default host."""
