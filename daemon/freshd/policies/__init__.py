"""What people expect of their assets: policy files read, checked, and joined with the graph into a charter."""

from freshd.policies.charter import build_charter
from freshd.policies.written import PolicyFile, WrittenPolicy, load_policies, policies_at, policies_of

__all__ = [
    "PolicyFile",
    "WrittenPolicy",
    "build_charter",
    "load_policies",
    "policies_at",
    "policies_of",
]
