"""What counts and what is valid: the rules behind one seam, :class:`Policy`.

The rules are data, in ``rules/``; :class:`RulesPolicy` applies them and :func:`explain` tells why.
"""

from stream.policy.error import PolicyError
from stream.policy.explain import Step, explain
from stream.policy.judge import RulesPolicy
from stream.policy.verdict import Outcome, Policy, Standard, Verdict

__all__ = [
    "Outcome",
    "Policy",
    "PolicyError",
    "RulesPolicy",
    "Standard",
    "Step",
    "Verdict",
    "explain",
]
