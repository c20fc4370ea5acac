"""What databases have in common and what sets them apart: their clock, their transactions, their faults."""
