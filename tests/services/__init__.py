"""Real databases, brokers, worker processes and a real mail server, all disturbed on purpose: `make test-services`."""
