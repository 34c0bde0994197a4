"""What counts and what is valid: the rules behind one seam, :class:`Policy`."""

from stream.policy.standard import StandardPolicy
from stream.policy.verdict import Outcome, Policy, Standard, Verdict

__all__ = ["Outcome", "Policy", "Standard", "StandardPolicy", "Verdict"]
