"""The frozen values and the words that all modules use: they know nothing of the rest."""
