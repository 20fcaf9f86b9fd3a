"""Files that people write: read as YAML 1.2, every value with its line, checked against a model.

What a person wrote is wrong in many places at once, and each should be told with file, line and the
nearest thing that would have been right. So a `Document` keeps, beside its plain value, where each part
of it stands (`yaml_text`), and `validate` turns what pydantic complains about into `Problem`s at those
lines (`checking`). It must not know what any file means: the models of settings, policies and catalogues
say that, with the fields of `fields`.
"""

from freshd.documents.checking import explain, validate
from freshd.documents.fields import Closed, DurationField, InstantField
from freshd.documents.files import files_named, shown_below
from freshd.documents.models import nearest, takes_list
from freshd.documents.parts import parts_of
from freshd.documents.places import PlacesModel
from freshd.documents.secret import secret_text
from freshd.documents.yaml_text import Document, PathPart, parse_yaml, read_yaml

__all__ = [
    "Closed",
    "Document",
    "DurationField",
    "InstantField",
    "PathPart",
    "PlacesModel",
    "explain",
    "files_named",
    "nearest",
    "parse_yaml",
    "parts_of",
    "read_yaml",
    "secret_text",
    "shown_below",
    "takes_list",
    "validate",
]
