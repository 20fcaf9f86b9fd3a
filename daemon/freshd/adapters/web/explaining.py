"""What explains an asset, as the API answers it: beside the ASSET, under "explanation".

{"policies": [{"policy", "priority", "expects", "reacts", "gives_reaction", "origin"}],
 "reaction": {"kind", "policy"},
 "launching": {"hold", "until", "by", "forced_at"},         hold: model/explanation.Hold
 "limits": {"path": [{"asset", "partition", "data_time"}],   from the asset to the one
            "reason"},                                       that limits its data time
 "ahead": [{"at", "what", "policy"}]}                       what will change by itself, in order of time
"""

from __future__ import annotations

from typing import Any

from freshd.adapters.web.shapes import instant
from freshd.model.asset import AssetKey
from freshd.model.explanation import Explanation, matching
from freshd.model.policy import Charter, Reaction


def explanation_json(why: Explanation, charter: Charter, key: AssetKey) -> dict[str, Any]:
    """An explanation."""
    reaction = charter.reactions.get(key, Reaction())
    launching = why.launching
    return {
        "policies": [
            {
                "policy": one.policy,
                "priority": one.priority,
                "expects": one.expects,
                "reacts": None if one.reacts is None else one.reacts.value,
                "gives_reaction": one.gives_reaction,
                "origin": one.origin,
            }
            for one in matching(charter, key)
        ],
        "reaction": {"kind": reaction.kind.value, "policy": reaction.policy},
        "launching": {
            "hold": launching.hold.value,
            "until": instant(launching.until),
            "by": list(launching.by),
            "forced_at": instant(launching.forced_at),
        },
        "limits": {
            "path": [
                {"asset": step.asset, "partition": step.partition, "data_time": instant(step.data_time)}
                for step in why.limits
            ],
            "reason": why.limits_reason,
        },
        "ahead": [{"at": instant(one.at), "what": one.what, "policy": one.policy} for one in why.ahead],
    }
