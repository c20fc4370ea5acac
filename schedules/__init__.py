"""Write to the learners of self-paced courses at the right moments."""

__version__ = "0.1.0"
