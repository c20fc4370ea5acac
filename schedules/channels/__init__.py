"""edx-ace channels of our own: what they cannot deliver they say by `DeliveryError`, so that the queue can wait."""
