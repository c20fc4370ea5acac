"""May this message go out? One module per question; here is their order.

The first “no” is the reason. A host adds gates of its own by `SCHEDULES["GATES"]`, a message type by its `gates`.
"""

from __future__ import annotations

from schedules.gates.address import HasAddress, UsableAddress
from schedules.gates.base import Answer, Gate, no, yes
from schedules.gates.course import CourseRunning, SelfPaced
from schedules.gates.delivery import DeliveryEnabled
from schedules.gates.earlier import NotAlreadyTold
from schedules.gates.enrollment import Enrolled
from schedules.gates.learner import LearnerKnown
from schedules.gates.opt_out import NotOptedOut

__all__ = ["DELIVERY", "FOR_ALL", "Answer", "Gate", "no", "yes"]

#: The switch of the site, which is about nobody in particular.
DELIVERY = DeliveryEnabled()

#: Those that every message passes, in this order; then those of its type, then the host's.
FOR_ALL: tuple[Gate, ...] = (
    DELIVERY,
    LearnerKnown(),
    SelfPaced(),
    CourseRunning(),
    Enrolled(),
    HasAddress(),
    UsableAddress(),
    NotOptedOut(),
    NotAlreadyTold(),
)
