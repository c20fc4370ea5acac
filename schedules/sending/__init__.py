"""From a day to tasks, from a task to edx-ace, from its answer to the ledger."""
