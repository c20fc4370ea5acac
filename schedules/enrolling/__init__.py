"""An enrollment becomes a schedule, and the schedule follows its course."""
