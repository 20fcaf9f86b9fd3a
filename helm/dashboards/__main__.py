"""Write the dashboards anew, and remove those that are made no more."""

from __future__ import annotations

from helm.dashboards import FOLDER, files

FOLDER.mkdir(parents=True, exist_ok=True)
made = files()
for path in FOLDER.glob("*.json"):
    if path.name not in made:
        path.unlink()
for name, text in made.items():
    path = FOLDER / name
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
