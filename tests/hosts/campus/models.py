from django.db import models


class PartnerLearner(models.Model):
    """A learner who was sent here by a partner, which writes to them itself."""

    user_id = models.IntegerField(unique=True)
    partner = models.CharField(max_length=50)

    def __str__(self):
        return self.partner
