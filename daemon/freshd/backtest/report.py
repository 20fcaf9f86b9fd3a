"""How scenarios came out, for people and for machines: text, JSON, JUnit's XML.

The exit code says it all: 0 everything holds, 1 something does not, 2 a file could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from freshd.backtest.play import ScenarioResult
from freshd.model.errors import Problem


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """The outcome of all scenarios of all files."""

    results: tuple[ScenarioResult, ...] = ()
    problems: tuple[Problem, ...] = ()
    """What is wrong with the files themselves."""

    @property
    def exit_code(self) -> int:
        """0, 1 or 2, as `freshd test` exits."""
        if self.problems:
            return 2
        return 0 if all(result.passed for result in self.results) else 1

    def text(self) -> Iterator[str]:
        """Lines for people: traces if there are any, what failed, and a last line that counts."""
        for result in self.results:
            if result.trace:
                yield f"# {result.name} ({result.where})"
                yield from result.trace
                yield ""
        for problem in self.problems:
            yield f"error: {problem}"
        for result in self.results:
            yield f"{'ok' if result.passed else 'FAILED':<6} {result.name} ({result.expectations} values)"
            for failure in result.failures:
                yield f"  {failure.where}: at {failure.offset}: {failure.what}"
                yield f"    expected {failure.expected}"
                yield f"    actual   {failure.actual}"
        failed = sum(not result.passed for result in self.results)
        problems = f", {len(self.problems)} problems with files" if self.problems else ""
        yield f"{len(self.results) - failed} of {len(self.results)} scenarios hold{problems}"

    def json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "passed": self.exit_code == 0,
            "scenarios": [_result_json(result) for result in self.results],
            "problems": [{"where": problem.where, "message": problem.message} for problem in self.problems],
        }

    def junit(self) -> str:
        """The same as JUnit's XML: one test case a scenario, one failure a value."""
        suite = ElementTree.Element(
            "testsuite",
            name="freshd test",
            tests=str(len(self.results)),
            failures=str(sum(not result.passed for result in self.results)),
            errors=str(len(self.problems)),
        )
        for result in self.results:
            file, _, line = result.where.rpartition(":")
            case = ElementTree.SubElement(suite, "testcase", name=result.name, classname=file, file=file, line=line)
            for failure in result.failures:
                told = ElementTree.SubElement(case, "failure", message=f"{failure.what} at {failure.offset}")
                told.text = f"{failure.where}\nexpected {failure.expected}\nactual   {failure.actual}"
        for problem in self.problems:
            case = ElementTree.SubElement(suite, "testcase", name="reads", classname=problem.where)
            ElementTree.SubElement(case, "error", message=problem.message).text = str(problem)
        ElementTree.indent(suite)
        return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


def _result_json(result: ScenarioResult) -> dict[str, Any]:
    told: dict[str, Any] = {
        "name": result.name,
        "where": result.where,
        "passed": result.passed,
        "values": result.expectations,
        "failures": [
            {
                "where": failure.where,
                "at": failure.offset,
                "what": failure.what,
                "expected": failure.expected,
                "actual": failure.actual,
            }
            for failure in result.failures
        ],
    }
    if result.trace:
        told["trace"] = list(result.trace)
    return told
