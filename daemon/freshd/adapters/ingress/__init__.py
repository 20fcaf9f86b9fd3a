"""HTTP in: events posted in freshd's own format, and the webhooks of others, checked for who sent them."""

from freshd.adapters.ingress.receiver import Ingress, IngressFigures, ingress_routes
from freshd.adapters.ingress.settings import IngressSettings, ingress_problems

__all__ = ["Ingress", "IngressFigures", "IngressSettings", "ingress_problems", "ingress_routes"]
