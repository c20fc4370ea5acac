"""Who is due: the target day, bins and pages, and what the host says of the learners found."""
