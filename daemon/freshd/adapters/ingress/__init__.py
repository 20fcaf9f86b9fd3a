"""HTTP in: events posted in freshd's own format, and the webhooks of others, checked for who sent them."""

from freshd.adapters.ingress.receiver import Ingress
from freshd.adapters.ingress.settings import IngressSettings, ingress_problems

__all__ = ["Ingress", "IngressSettings", "ingress_problems"]
